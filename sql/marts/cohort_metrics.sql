-- grain: one row per cohort_type, cohort, week_start (null = all time)
-- rebuild by: all
-- Sleep of groups of users, over valid main sleeps. Statistics are over per-user means, so that a user with
-- many
-- nights counts once; _night_mean stands beside for the mean over nights. Fewer than 5 users: counts only.
-- columns:
-- cohort_type: all, age_band, gender or first_night_week
-- cohort: the group; unknown where the users file does not tell
-- week_start: Monday of the ISO week, null for all time
-- users: users with a valid night
-- nights: their valid nights
-- is_small: fewer than 5 users: the metrics are null, so that nobody can be picked out
-- time_in_sleep_seconds_mean: mean over users of each user's mean time asleep (TST) in seconds
-- time_in_sleep_seconds_median: median over users of each user's mean time asleep (TST) in seconds
-- time_in_sleep_seconds_sd: sample standard deviation over users of each user's mean time asleep (TST) in
-- seconds
-- time_in_sleep_seconds_p25: lower quartile over users of each user's mean time asleep (TST) in seconds
-- time_in_sleep_seconds_p75: upper quartile over users of each user's mean time asleep (TST) in seconds
-- time_in_sleep_seconds_night_mean: mean over nights of time asleep (TST) in seconds
-- sleep_efficiency_pct_mean: mean over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_median: median over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_sd: sample standard deviation over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_p25: lower quartile over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_p75: upper quartile over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_night_mean: mean over nights of sleep efficiency, 0..100
-- sleep_latency_seconds_mean: mean over users of each user's mean sleep latency (SOL) in seconds
-- sleep_latency_seconds_median: median over users of each user's mean sleep latency (SOL) in seconds
-- sleep_latency_seconds_sd: sample standard deviation over users of each user's mean sleep latency (SOL) in
-- seconds
-- sleep_latency_seconds_p25: lower quartile over users of each user's mean sleep latency (SOL) in seconds
-- sleep_latency_seconds_p75: upper quartile over users of each user's mean sleep latency (SOL) in seconds
-- sleep_latency_seconds_night_mean: mean over nights of sleep latency (SOL) in seconds
-- waso_seconds_mean: mean over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_median: median over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_sd: sample standard deviation over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_p25: lower quartile over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_p75: upper quartile over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_night_mean: mean over nights of wake after sleep onset in seconds
-- light_pct_mean: mean over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_median: median over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_sd: sample standard deviation over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_p25: lower quartile over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_p75: upper quartile over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_night_mean: mean over nights of share of light sleep in TST, 0..100
-- deep_pct_mean: mean over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_median: median over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_sd: sample standard deviation over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_p25: lower quartile over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_p75: upper quartile over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_night_mean: mean over nights of share of deep sleep in TST, 0..100
-- rem_pct_mean: mean over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_median: median over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_sd: sample standard deviation over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_p25: lower quartile over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_p75: upper quartile over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_night_mean: mean over nights of share of REM sleep in TST, 0..100
with
    nights as (
        select sessions.*, users.birth_year, users.gender, users.first_night, users.last_night
        from sessions
        inner join users using (user_id)
        where sessions.is_main_sleep and sessions.validity = 'valid'
    ),

    scoped as (
        select * exclude (week_start), week_start, week_start as age_at
        from nights
        union all
        select * exclude (week_start), null as week_start, last_night as age_at
        from nights
    ),

    aged as (select *, year(age_at) - birth_year as age from scoped),

    grouped as (
        select
            *,
            unnest(
                [
                    {'cohort_type':'all', 'cohort':'all'},
                    {
                        'cohort_type':'age_band',
                        'cohort':
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
                        end
                    },
                    {'cohort_type':'gender', 'cohort':coalesce(gender, 'unknown')},
                    {
                        'cohort_type':'first_night_week',
                        'cohort':date_trunc('week', first_night)::date::varchar
                    }
                ]
            ) as membership
        from aged
    ),

    -- sums of fractions depend on their order: one order gives one result in every build
    per_user as (
        select
            membership.cohort_type as cohort_type,
            membership.cohort as cohort,
            week_start,
            user_id,
            count(*) as nights,
            round(avg(time_in_sleep_seconds), 6) as time_in_sleep_seconds,
            sum(time_in_sleep_seconds) as time_in_sleep_seconds_sum,
            count(time_in_sleep_seconds) as time_in_sleep_seconds_nights,
            round(avg(sleep_efficiency_pct order by sleep_efficiency_pct), 6) as sleep_efficiency_pct,
            sum(sleep_efficiency_pct order by sleep_efficiency_pct) as sleep_efficiency_pct_sum,
            count(sleep_efficiency_pct) as sleep_efficiency_pct_nights,
            round(avg(sleep_latency_seconds), 6) as sleep_latency_seconds,
            sum(sleep_latency_seconds) as sleep_latency_seconds_sum,
            count(sleep_latency_seconds) as sleep_latency_seconds_nights,
            round(avg(waso_seconds), 6) as waso_seconds,
            sum(waso_seconds) as waso_seconds_sum,
            count(waso_seconds) as waso_seconds_nights,
            round(avg(light_pct order by light_pct), 6) as light_pct,
            sum(light_pct order by light_pct) as light_pct_sum,
            count(light_pct) as light_pct_nights,
            round(avg(deep_pct order by deep_pct), 6) as deep_pct,
            sum(deep_pct order by deep_pct) as deep_pct_sum,
            count(deep_pct) as deep_pct_nights,
            round(avg(rem_pct order by rem_pct), 6) as rem_pct,
            sum(rem_pct order by rem_pct) as rem_pct_sum,
            count(rem_pct) as rem_pct_nights
        from grouped
        group by all
    ),

    cohorts as (
        select
            cohort_type,
            cohort,
            week_start,
            count(*)::integer as users,
            sum(nights)::integer as nights,
            count(*) < 5 as is_small,
            round(avg(time_in_sleep_seconds order by time_in_sleep_seconds), 4) as time_in_sleep_seconds_mean,
            round(median(time_in_sleep_seconds), 4) as time_in_sleep_seconds_median,
            round(
                stddev_samp(time_in_sleep_seconds order by time_in_sleep_seconds), 4
            ) as time_in_sleep_seconds_sd,
            round(quantile_cont(time_in_sleep_seconds, 0.25), 4) as time_in_sleep_seconds_p25,
            round(quantile_cont(time_in_sleep_seconds, 0.75), 4) as time_in_sleep_seconds_p75,
            round(
                sum(time_in_sleep_seconds_sum) / nullif(sum(time_in_sleep_seconds_nights), 0), 4
            ) as time_in_sleep_seconds_night_mean,
            round(avg(sleep_efficiency_pct order by sleep_efficiency_pct), 4) as sleep_efficiency_pct_mean,
            round(median(sleep_efficiency_pct), 4) as sleep_efficiency_pct_median,
            round(
                stddev_samp(sleep_efficiency_pct order by sleep_efficiency_pct), 4
            ) as sleep_efficiency_pct_sd,
            round(quantile_cont(sleep_efficiency_pct, 0.25), 4) as sleep_efficiency_pct_p25,
            round(quantile_cont(sleep_efficiency_pct, 0.75), 4) as sleep_efficiency_pct_p75,
            round(
                sum(sleep_efficiency_pct_sum order by sleep_efficiency_pct_sum)
                / nullif(sum(sleep_efficiency_pct_nights), 0),
                4
            ) as sleep_efficiency_pct_night_mean,
            round(avg(sleep_latency_seconds order by sleep_latency_seconds), 4) as sleep_latency_seconds_mean,
            round(median(sleep_latency_seconds), 4) as sleep_latency_seconds_median,
            round(
                stddev_samp(sleep_latency_seconds order by sleep_latency_seconds), 4
            ) as sleep_latency_seconds_sd,
            round(quantile_cont(sleep_latency_seconds, 0.25), 4) as sleep_latency_seconds_p25,
            round(quantile_cont(sleep_latency_seconds, 0.75), 4) as sleep_latency_seconds_p75,
            round(
                sum(sleep_latency_seconds_sum) / nullif(sum(sleep_latency_seconds_nights), 0), 4
            ) as sleep_latency_seconds_night_mean,
            round(avg(waso_seconds order by waso_seconds), 4) as waso_seconds_mean,
            round(median(waso_seconds), 4) as waso_seconds_median,
            round(stddev_samp(waso_seconds order by waso_seconds), 4) as waso_seconds_sd,
            round(quantile_cont(waso_seconds, 0.25), 4) as waso_seconds_p25,
            round(quantile_cont(waso_seconds, 0.75), 4) as waso_seconds_p75,
            round(sum(waso_seconds_sum) / nullif(sum(waso_seconds_nights), 0), 4) as waso_seconds_night_mean,
            round(avg(light_pct order by light_pct), 4) as light_pct_mean,
            round(median(light_pct), 4) as light_pct_median,
            round(stddev_samp(light_pct order by light_pct), 4) as light_pct_sd,
            round(quantile_cont(light_pct, 0.25), 4) as light_pct_p25,
            round(quantile_cont(light_pct, 0.75), 4) as light_pct_p75,
            round(
                sum(light_pct_sum order by light_pct_sum) / nullif(sum(light_pct_nights), 0), 4
            ) as light_pct_night_mean,
            round(avg(deep_pct order by deep_pct), 4) as deep_pct_mean,
            round(median(deep_pct), 4) as deep_pct_median,
            round(stddev_samp(deep_pct order by deep_pct), 4) as deep_pct_sd,
            round(quantile_cont(deep_pct, 0.25), 4) as deep_pct_p25,
            round(quantile_cont(deep_pct, 0.75), 4) as deep_pct_p75,
            round(
                sum(deep_pct_sum order by deep_pct_sum) / nullif(sum(deep_pct_nights), 0), 4
            ) as deep_pct_night_mean,
            round(avg(rem_pct order by rem_pct), 4) as rem_pct_mean,
            round(median(rem_pct), 4) as rem_pct_median,
            round(stddev_samp(rem_pct order by rem_pct), 4) as rem_pct_sd,
            round(quantile_cont(rem_pct, 0.25), 4) as rem_pct_p25,
            round(quantile_cont(rem_pct, 0.75), 4) as rem_pct_p75,
            round(
                sum(rem_pct_sum order by rem_pct_sum) / nullif(sum(rem_pct_nights), 0), 4
            ) as rem_pct_night_mean
        from per_user
        group by cohort_type, cohort, week_start
    )

select
    cohort_type,
    cohort,
    week_start,
    users,
    nights,
    is_small,
    case when not is_small then time_in_sleep_seconds_mean end as time_in_sleep_seconds_mean,
    case when not is_small then time_in_sleep_seconds_median end as time_in_sleep_seconds_median,
    case when not is_small then time_in_sleep_seconds_sd end as time_in_sleep_seconds_sd,
    case when not is_small then time_in_sleep_seconds_p25 end as time_in_sleep_seconds_p25,
    case when not is_small then time_in_sleep_seconds_p75 end as time_in_sleep_seconds_p75,
    case when not is_small then time_in_sleep_seconds_night_mean end as time_in_sleep_seconds_night_mean,
    case when not is_small then sleep_efficiency_pct_mean end as sleep_efficiency_pct_mean,
    case when not is_small then sleep_efficiency_pct_median end as sleep_efficiency_pct_median,
    case when not is_small then sleep_efficiency_pct_sd end as sleep_efficiency_pct_sd,
    case when not is_small then sleep_efficiency_pct_p25 end as sleep_efficiency_pct_p25,
    case when not is_small then sleep_efficiency_pct_p75 end as sleep_efficiency_pct_p75,
    case when not is_small then sleep_efficiency_pct_night_mean end as sleep_efficiency_pct_night_mean,
    case when not is_small then sleep_latency_seconds_mean end as sleep_latency_seconds_mean,
    case when not is_small then sleep_latency_seconds_median end as sleep_latency_seconds_median,
    case when not is_small then sleep_latency_seconds_sd end as sleep_latency_seconds_sd,
    case when not is_small then sleep_latency_seconds_p25 end as sleep_latency_seconds_p25,
    case when not is_small then sleep_latency_seconds_p75 end as sleep_latency_seconds_p75,
    case when not is_small then sleep_latency_seconds_night_mean end as sleep_latency_seconds_night_mean,
    case when not is_small then waso_seconds_mean end as waso_seconds_mean,
    case when not is_small then waso_seconds_median end as waso_seconds_median,
    case when not is_small then waso_seconds_sd end as waso_seconds_sd,
    case when not is_small then waso_seconds_p25 end as waso_seconds_p25,
    case when not is_small then waso_seconds_p75 end as waso_seconds_p75,
    case when not is_small then waso_seconds_night_mean end as waso_seconds_night_mean,
    case when not is_small then light_pct_mean end as light_pct_mean,
    case when not is_small then light_pct_median end as light_pct_median,
    case when not is_small then light_pct_sd end as light_pct_sd,
    case when not is_small then light_pct_p25 end as light_pct_p25,
    case when not is_small then light_pct_p75 end as light_pct_p75,
    case when not is_small then light_pct_night_mean end as light_pct_night_mean,
    case when not is_small then deep_pct_mean end as deep_pct_mean,
    case when not is_small then deep_pct_median end as deep_pct_median,
    case when not is_small then deep_pct_sd end as deep_pct_sd,
    case when not is_small then deep_pct_p25 end as deep_pct_p25,
    case when not is_small then deep_pct_p75 end as deep_pct_p75,
    case when not is_small then deep_pct_night_mean end as deep_pct_night_mean,
    case when not is_small then rem_pct_mean end as rem_pct_mean,
    case when not is_small then rem_pct_median end as rem_pct_median,
    case when not is_small then rem_pct_sd end as rem_pct_sd,
    case when not is_small then rem_pct_p25 end as rem_pct_p25,
    case when not is_small then rem_pct_p75 end as rem_pct_p75,
    case when not is_small then rem_pct_night_mean end as rem_pct_night_mean
from cohorts
