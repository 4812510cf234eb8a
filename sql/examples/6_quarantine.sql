-- Accepted bodies that could not become rows, or lost a part
select reason, field, is_partial, count(*) as bodies, min(receipt_id) as for_example
from quarantined_events
group by all
order by all
