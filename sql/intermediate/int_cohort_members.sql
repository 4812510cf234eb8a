-- grain: one row per user_id, week_start (null = all time) with a valid main sleep
-- rebuild by: calendar_week
-- Which cohort of each type a user belongs to in a week, and the user's nights in it. What nobody told is
-- unknown; age is that on the week's Monday, for all time that on the last night.
with
    periods as (
        select
            user_id,
            week_start,
            week_start as age_at,
            nights,
            time_in_sleep_seconds_sum,
            sleep_efficiency_pct_sum,
            sleep_latency_seconds_sum,
            waso_seconds_sum,
            light_pct_sum,
            deep_pct_sum,
            rem_pct_sum
        from int_user_weeks
        inner join touched_calendar_weeks using (week_start)
        union all
        select
            user_id,
            null::date as week_start,
            last_night as age_at,
            nights,
            time_in_sleep_seconds_sum,
            sleep_efficiency_pct_sum,
            sleep_latency_seconds_sum,
            waso_seconds_sum,
            light_pct_sum,
            deep_pct_sum,
            rem_pct_sum
        from int_user_totals
        where exists (select 1 from touched_calendar_weeks where week_start is null)
    ),

    aged as (
        select
            periods.*,
            stg_users.birth_year,
            stg_users.gender,
            stg_users.timezone,
            stg_users.signup_date,
            int_user_totals.first_night,
            year(periods.age_at) - stg_users.birth_year as age
        from periods
        inner join int_user_totals using (user_id)
        left join stg_users using (user_id)
        where periods.nights > 0
    )

select
    user_id,
    week_start,
    nights,
    time_in_sleep_seconds_sum,
    sleep_efficiency_pct_sum,
    sleep_latency_seconds_sum,
    waso_seconds_sum,
    light_pct_sum,
    deep_pct_sum,
    rem_pct_sum,
    case
        when age is null or age < 0 or age > 120
        then 'unknown'
        when age < 18
        then 'under 18'
        when age < 25
        then '18-24'
        when age < 85
        then concat(5 + divide(age - 5, 10) * 10, '-', 14 + divide(age - 5, 10) * 10)
        else '85+'
    end as age_band,
    case
        when age between 0 and 120 then concat(divide(birth_year, 10) * 10, 's') else 'unknown'
    end as birth_decade,
    coalesce(gender, 'unknown') as gender,
    coalesce(timezone, 'unknown') as timezone,
    date_trunc('week', first_night)::date::varchar as first_night_week,
    coalesce(date_trunc('week', signup_date)::date::varchar, 'unknown') as signup_week
from aged
