-- severity: block
-- The night is the local date of the session's end, and its week begins on the Monday before.
select user_id, session_id
from sessions
where
    sleep_date is distinct from ended_local::date
    or week_start is distinct from date_trunc('week', sleep_date)::date
    or (started_at is null) <> (ended_at is null)
    or (ended_at is null) <> (ended_local is null)
