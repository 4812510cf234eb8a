-- What happened to the calls
select verdict, coalesce(reason, '') as reason, status, sum(calls) as calls, sum(wire_bytes) as bytes
from webhook_attempts
group by all
order by all
