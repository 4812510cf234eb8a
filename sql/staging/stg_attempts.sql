-- grain: one row per landed record of the topic asleep.attempts
-- rebuild by: file
-- Calls that the receiver rejected. The body is there only where the caller was authentic.
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
    coalesce(reason, 'unreadable_record') as reason,
    status,
    attempt_body_bytes as body_bytes,
    nullif(body, '') as body
from read_parquet($attempt_files, filename = true, union_by_name = true, hive_partitioning = false)
