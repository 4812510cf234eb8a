-- What happened to the calls
select verdict, coalesce(reason, '') as reason, status, count(*) as calls, sum(body_bytes) as bytes
from webhook_attempts
group by all
order by all
