-- severity: block
-- In its first week all of a first-night cohort are active, and are that week's new users; never are more
-- active than belong to it.
select r.cohort_type, r.cohort, r.weeks_since, r.cohort_users, r.active_users, a.new_users
from cohort_retention as r
left join weekly_activity as a on a.week_start = r.cohort::date
where
    r.active_users > r.cohort_users
    or (
        r.cohort_type = 'first_night_week'
        and r.weeks_since = 0
        and (r.active_users <> r.cohort_users or a.new_users is distinct from r.cohort_users)
    )
