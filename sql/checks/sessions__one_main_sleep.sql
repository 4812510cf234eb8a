-- severity: block
-- A user has one main sleep per sleep_date.
select user_id, sleep_date, count(*) filter (is_main_sleep) as main_sleeps
from sessions
where sleep_date is not null
group by user_id, sleep_date
having count(*) filter (is_main_sleep) <> 1
