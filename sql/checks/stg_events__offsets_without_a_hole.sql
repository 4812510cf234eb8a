-- severity: warn
-- Of each partition everything from the first loaded offset to the last is here; a hole is what the log lost
-- before it was landed, or a file that is missing.
with
    staged as (
        select log_id, log_partition, count(*) as records from stg_events group by log_id, log_partition
    ),

    loaded as (
        select log_id, log_partition, max(last_offset) - min(first_offset) + 1 as offsets
        from loaded_offsets
        where topic = 'asleep.events'
        group by log_id, log_partition
    )

select log_id, log_partition, offsets, coalesce(records, 0) as records
from loaded
left join staged using (log_id, log_partition)
where coalesce(records, 0) < offsets
