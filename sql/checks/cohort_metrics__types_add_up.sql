-- severity: block
-- Cohorts of each type add up to everyone, of each week and of all time.
with
    sums as (
        select cohort_type, week_start, sum(users) as users, sum(nights) as nights
        from cohort_metrics
        group by cohort_type, week_start
    ),

    everyone as (select week_start, users, nights from cohort_metrics where cohort_type = 'all'),

    wanted as (
        select
            everyone.*,
            unnest(
                ['all', 'age_band', 'birth_decade', 'gender', 'timezone', 'first_night_week', 'signup_week']
            ) as cohort_type
        from everyone
    )

select wanted.cohort_type, wanted.week_start, wanted.users as expected, sums.users as found
from wanted
left join
    sums on sums.cohort_type = wanted.cohort_type and sums.week_start is not distinct from wanted.week_start
where sums.users is distinct from wanted.users or sums.nights is distinct from wanted.nights
