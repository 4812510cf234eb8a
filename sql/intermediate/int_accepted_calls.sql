-- grain: one row per receipt_id
-- rebuild by: view
-- Every call whose event reached the log, and of which earlier one it is a copy. It may have reached the log
-- after its caller was told that it did not: then it counts, and the caller was refused all the same.
select
    events.receipt_id,
    events.received_at,
    attempts.reason,
    coalesce(attempts.status, 200::smallint) as status,
    events.user_id,
    events.other_user_id is not null as is_user_mismatch,
    events.other_user_id,
    events.remote_address,
    events.path,
    events.signature,
    events.content_encoding,
    coalesce(events.wire_bytes, events.body_bytes) as wire_bytes,
    events.body_bytes,
    coalesce(
        int_session_events.duplicate_of_receipt_id, nullif(set_aside.first_receipt_id, events.receipt_id)
    ) as duplicate_of_receipt_id,
    events.raw_file,
    log_id,
    log_partition,
    log_offset
from stg_events as events
left join int_session_events using (log_id, log_partition, log_offset)
left join int_set_aside as set_aside using (log_id, log_partition, log_offset)
left join stg_attempts as attempts on attempts.receipt_id = events.receipt_id
qualify
    row_number() over (
        partition by events.receipt_id
        order by
            events.received_at,
            log_id,
            log_partition,
            log_offset,
            attempts.received_at,
            attempts.log_id,
            attempts.log_partition,
            attempts.log_offset
    )
    = 1
