-- What is about to change: the weeks that the touched sessions were in, and what put users in their cohorts.
create or replace temp table old_weeks as
select distinct user_id, week_start
from int_sessions
semi join all_touched_sessions using (user_id, session_id);

create or replace temp table old_cohort_keys as
select user_id, birth_year, gender, timezone, signup_date, first_night
from users
