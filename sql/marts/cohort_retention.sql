-- grain: one row per cohort_type, cohort, weeks_since, up to the last week with a valid night, at most 520
-- rebuild by: all
-- How many of those who began in one week slept in the weeks after it. Users without a signup date are in no
-- signup_week; nights before the week of signing up count for no row.
-- columns:
-- cohort_type: first_night_week (of the first valid main sleep) or signup_week (of the users file's date)
-- cohort: Monday of the ISO week in which its users began
-- weeks_since: calendar weeks from that Monday; 0 is the week itself
-- cohort_users: users of the cohort, also those of signup_week who never had a night
-- active_users: those of them with a valid main sleep in that week
-- retention_pct: share of active users in the cohort, 0..100
with
    members as (
        select
            'first_night_week' as cohort_type, user_id, date_trunc('week', first_night)::date as cohort_week
        from users
        where first_night is not null
        union all
        select 'signup_week' as cohort_type, user_id, date_trunc('week', signup_date)::date as cohort_week
        from users
        where signup_date is not null
    ),

    active as (select user_id, week_start from int_user_weeks where nights > 0),

    cohorts as (
        select cohort_type, cohort_week, count(user_id)::integer as cohort_users
        from members
        group by cohort_type, cohort_week
    ),

    -- no row where nobody was ever active: least() would take its null for no bound
    last_week as (select max(week_start) as week_start from active having max(week_start) is not null),

    periods as (
        select
            cohorts.*,
            unnest(range(least(divide(last_week.week_start - cohort_week, 7), 520) + 1))::integer
            as weeks_since
        from cohorts
        cross join last_week
    ),

    activity as (
        select
            cohort_type,
            cohort_week,
            divide(week_start - cohort_week, 7)::integer as weeks_since,
            count(user_id)::integer as active_users
        from members
        inner join active using (user_id)
        where week_start >= cohort_week
        group by all
    )

select
    cohort_type,
    cohort_week::varchar as cohort,
    weeks_since,
    cohort_users,
    coalesce(active_users, 0) as active_users,
    round(100.0 * coalesce(active_users, 0) / cohort_users, 4)::double as retention_pct
from periods
left join activity using (cohort_type, cohort_week, weeks_since)
