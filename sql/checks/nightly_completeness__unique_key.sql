-- severity: block
-- A user's date is one row.
select user_id, sleep_date, count(*) as copies
from int_nights
group by user_id, sleep_date
having count(*) > 1
