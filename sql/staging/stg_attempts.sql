-- grain: one row per landed record of the topic asleep.attempts
-- rebuild by: file
-- Calls that the receiver refused, one each, or several of one address, reason and second in one. The body is
-- there only where the caller was authentic.
select
    coalesce(receipt_id, concat_ws('/', log_id, log_topic, log_partition, log_offset)) as receipt_id,
    received_at,
    log_id,
    log_partition,
    log_offset,
    replace(filename, $raw_dir || '/', '') as raw_file,
    user_id,
    remote_address,
    path,
    content_type,
    content_encoding,
    signature,
    coalesce(reason, 'unreadable_record') as reason,
    status,
    coalesce(attempt_calls, 1) as calls,
    attempt_body_bytes as wire_bytes,
    nullif(coalesce(strlen(body), octet_length(body_bytes)), 0) as body_bytes,
    coalesce(nullif(body, ''), body_bytes::varchar) as body
from read_parquet($attempt_files, filename = true, union_by_name = true, hive_partitioning = false)
where
    not exists (
        select 1
        from loaded_before as l
        where
            l.raw_file = replace(filename, $raw_dir || '/', '')
            and log_offset between l.first_offset and l.last_offset
    )
