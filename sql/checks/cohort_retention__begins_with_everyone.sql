-- severity: block
-- In its first week all of a first-night cohort are active, and are that week's new users; never are more
-- active than belong to it; and everyone who signed up by the newest week is in one signup cohort.
with
    signed_up as (
        select date_trunc('week', signup_date)::date::varchar as cohort, count(*) as signed_up_users
        from users
        where date_trunc('week', signup_date) <= (select max(week_start) from weekly_activity)
        group by cohort
    ),

    beginnings as (select * from cohort_retention where cohort_type = 'signup_week' and weeks_since = 0)

select r.cohort_type, r.cohort, r.weeks_since, r.cohort_users, r.active_users, a.new_users as expected
from cohort_retention as r
left join weekly_activity as a on a.week_start = r.cohort::date
where
    r.active_users > r.cohort_users
    or (
        r.cohort_type = 'first_night_week'
        and r.weeks_since = 0
        and (r.active_users <> r.cohort_users or a.new_users is distinct from r.cohort_users)
    )
union all
select cohort_type, cohort, weeks_since, cohort_users, active_users, signed_up_users as expected
from beginnings
full join signed_up using (cohort)
where cohort_users is distinct from signed_up_users
