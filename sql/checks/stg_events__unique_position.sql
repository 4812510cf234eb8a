-- severity: block
-- A record of the log is staged once.
select log_id, log_partition, log_offset, count(*) as copies
from stg_events
group by log_id, log_partition, log_offset
having count(*) > 1
