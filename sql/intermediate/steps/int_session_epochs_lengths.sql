-- grain: one row per session_number that has a row in int_session_epochs_reports
-- rebuild by: step
-- How many epochs a session has: those of its final report; without one, all up to its last window's end.
select
    session_number,
    bool_or(is_final) as has_final,
    coalesce(max(epoch_count) filter (is_final), max(first_epoch + epoch_count)) as session_epoch_count
from int_session_epochs_reports
group by session_number
