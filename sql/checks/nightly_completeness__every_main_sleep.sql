-- severity: block
-- Every main sleep is its date's night, and no other session is.
with main_sleeps as (select user_id, sleep_date, session_id from sessions where is_main_sleep)

select
    coalesce(main_sleeps.user_id, int_nights.user_id) as user_id,
    coalesce(main_sleeps.sleep_date, int_nights.sleep_date) as sleep_date
from main_sleeps
full join (select * from int_nights where session_id is not null) as int_nights using (user_id, sleep_date)
where main_sleeps.session_id is distinct from int_nights.session_id
