-- grain: one row per landed record of the topic asleep.events that no build has loaded
-- rebuild by: step
-- The body as text where it is JSON, and which file holds it.
select
    receipt_id,
    received_at,
    user_id,
    body,
    body_bytes,
    attempt_body_bytes,
    content_encoding,
    signature,
    remote_address,
    path,
    log_id,
    log_topic,
    log_partition,
    log_offset,
    replace(filename, $raw_dir || '/', '') as raw_file,
    case when json_valid(body) then body end as json_body,
    -- a header that a row can do without does not condemn the body
    regexp_matches(
        landing_error, '(^|; )(no value|value: |header (receipt_id|received_at): )'
    ) as is_unreadable
from read_parquet($event_files, filename = true, union_by_name = true, hive_partitioning = false)
where
    not exists (
        select 1
        from loaded_before as l
        where
            l.raw_file = replace(filename, $raw_dir || '/', '')
            and log_offset between l.first_offset and l.last_offset
    )
