-- severity: block
-- A body that could not become a row is in quarantine, and in no session.
select receipt_id
from stg_events
anti join quarantined_events using (receipt_id)
where reject_reason is not null
union all
select receipt_id
from int_session_events
semi join
    (select log_id, log_partition, log_offset from stg_events where reject_reason is not null) using (
        log_id, log_partition, log_offset
    )
