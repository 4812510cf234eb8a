-- severity: block
-- A user's week is one row.
select user_id, week_start, count(*) as copies
from weekly_trends
group by user_id, week_start
having count(*) > 1
