-- severity: block
-- No record is staged whose offset is not among the loaded ones.
with
    staged as (
        select log_id, log_partition, count(*) as records, min(log_offset) as first, max(log_offset) as last
        from stg_events
        group by log_id, log_partition
    ),

    loaded as (
        select
            log_id,
            log_partition,
            sum(last_offset - first_offset + 1) as offsets,
            min(first_offset) as first_offset,
            max(last_offset) as last_offset
        from loaded_offsets
        where topic = 'asleep.events'
        group by log_id, log_partition
    )

select log_id, log_partition, records, offsets
from staged
left join loaded using (log_id, log_partition)
where offsets is null or records > offsets or staged.first < first_offset or staged.last > last_offset
