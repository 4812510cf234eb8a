-- grain: one row per record whose body could not become a row
-- rebuild by: view
-- The first receipt of each such body: it belongs to no session, and so only the body tells its copies.
select
    log_id,
    log_partition,
    log_offset,
    first_value(receipt_id) over (
        partition by user_id, session_id, event, body order by received_at, log_id, log_partition, log_offset
    ) as first_receipt_id
from stg_events
where reject_reason is not null and body is not null
