-- severity: block
-- A session is complete where it names the final report that made it, and the report is in the log.
with
    reports as (
        select user_id, session_id, receipt_id from int_session_events where event = 'SESSION_COMPLETE'
    )

select user_id, session_id
from sessions
where
    (state = 'complete') <> (raw_receipt_id is not null)
    or is_final <> (state = 'complete')
    or (final_reports > 0) <> is_final
    or (stages_receipt_id is not null and epoch_count is null)
union all
select user_id, session_id
from (select user_id, session_id, raw_receipt_id as receipt_id from sessions where is_final)
anti join reports using (user_id, session_id, receipt_id)
union all
select user_id, session_id
from
    (
        select user_id, session_id, stages_receipt_id as receipt_id
        from sessions
        where stages_receipt_id is not null
    )
anti join reports using (user_id, session_id, receipt_id)
