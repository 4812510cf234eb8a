-- grain: one row per cohort_type, cohort, week_start (null = all time)
-- rebuild by: calendar_week
-- Sleep of groups of users, over valid main sleeps. Statistics are over per-user means, so that a user with
-- many nights counts once; _night_mean stands beside for the mean over nights.
-- columns:
-- cohort_type: all, age_band, birth_decade, gender, timezone, first_night_week or signup_week
-- cohort: the group: a band such as 25-34, a decade such as 1980s, a Monday; unknown where nobody told
-- week_start: Monday of the ISO week, null for all time
-- users: users with a valid night
-- nights: their valid nights
-- is_small: fewer than 5 users: the metrics are null, so that nobody can be picked out
-- time_in_sleep_seconds_mean: mean over users of each user's mean time asleep (TST) in seconds
-- time_in_sleep_seconds_median: median over users of each user's mean time asleep (TST) in seconds
-- time_in_sleep_seconds_sd: sample sd over users of each user's mean time asleep (TST) in seconds
-- time_in_sleep_seconds_p25: lower quartile over users of each user's mean time asleep (TST) in seconds
-- time_in_sleep_seconds_p75: upper quartile over users of each user's mean time asleep (TST) in seconds
-- time_in_sleep_seconds_night_mean: mean over nights of time asleep (TST) in seconds
-- sleep_efficiency_pct_mean: mean over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_median: median over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_sd: sample sd over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_p25: lower quartile over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_p75: upper quartile over users of each user's mean sleep efficiency, 0..100
-- sleep_efficiency_pct_night_mean: mean over nights of sleep efficiency, 0..100
-- sleep_latency_seconds_mean: mean over users of each user's mean sleep latency (SOL) in seconds
-- sleep_latency_seconds_median: median over users of each user's mean sleep latency (SOL) in seconds
-- sleep_latency_seconds_sd: sample sd over users of each user's mean sleep latency (SOL) in seconds
-- sleep_latency_seconds_p25: lower quartile over users of each user's mean sleep latency (SOL) in seconds
-- sleep_latency_seconds_p75: upper quartile over users of each user's mean sleep latency (SOL) in seconds
-- sleep_latency_seconds_night_mean: mean over nights of sleep latency (SOL) in seconds
-- waso_seconds_mean: mean over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_median: median over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_sd: sample sd over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_p25: lower quartile over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_p75: upper quartile over users of each user's mean wake after sleep onset in seconds
-- waso_seconds_night_mean: mean over nights of wake after sleep onset in seconds
-- light_pct_mean: mean over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_median: median over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_sd: sample sd over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_p25: lower quartile over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_p75: upper quartile over users of each user's mean share of light sleep in TST, 0..100
-- light_pct_night_mean: mean over nights of share of light sleep in TST, 0..100
-- deep_pct_mean: mean over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_median: median over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_sd: sample sd over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_p25: lower quartile over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_p75: upper quartile over users of each user's mean share of deep sleep in TST, 0..100
-- deep_pct_night_mean: mean over nights of share of deep sleep in TST, 0..100
-- rem_pct_mean: mean over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_median: median over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_sd: sample sd over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_p25: lower quartile over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_p75: upper quartile over users of each user's mean share of REM sleep in TST, 0..100
-- rem_pct_night_mean: mean over nights of share of REM sleep in TST, 0..100
with
    grouped as (
        select
            m.*,
            unnest(
                ['all', 'age_band', 'birth_decade', 'gender', 'timezone', 'first_night_week', 'signup_week']
            ) as cohort_type,
            unnest(['all', age_band, birth_decade, gender, timezone, first_night_week, signup_week]) as cohort
        from int_cohort_members as m
        inner join touched_calendar_weeks as t on t.week_start is not distinct from m.week_start
    )

select
    cohort_type,
    cohort,
    week_start,
    count(*)::integer as users,
    sum(nights)::integer as nights,
    count(*) < 5 as is_small,
    cohort_mean(time_in_sleep_seconds_sum / nights) as time_in_sleep_seconds_mean,
    cohort_quantile(time_in_sleep_seconds_sum / nights, 0.5) as time_in_sleep_seconds_median,
    cohort_sd(time_in_sleep_seconds_sum / nights) as time_in_sleep_seconds_sd,
    cohort_quantile(time_in_sleep_seconds_sum / nights, 0.25) as time_in_sleep_seconds_p25,
    cohort_quantile(time_in_sleep_seconds_sum / nights, 0.75) as time_in_sleep_seconds_p75,
    cohort_night_mean(time_in_sleep_seconds_sum, nights) as time_in_sleep_seconds_night_mean,
    cohort_mean(sleep_efficiency_pct_sum / nights) as sleep_efficiency_pct_mean,
    cohort_quantile(sleep_efficiency_pct_sum / nights, 0.5) as sleep_efficiency_pct_median,
    cohort_sd(sleep_efficiency_pct_sum / nights) as sleep_efficiency_pct_sd,
    cohort_quantile(sleep_efficiency_pct_sum / nights, 0.25) as sleep_efficiency_pct_p25,
    cohort_quantile(sleep_efficiency_pct_sum / nights, 0.75) as sleep_efficiency_pct_p75,
    cohort_night_mean(sleep_efficiency_pct_sum, nights) as sleep_efficiency_pct_night_mean,
    cohort_mean(sleep_latency_seconds_sum / nights) as sleep_latency_seconds_mean,
    cohort_quantile(sleep_latency_seconds_sum / nights, 0.5) as sleep_latency_seconds_median,
    cohort_sd(sleep_latency_seconds_sum / nights) as sleep_latency_seconds_sd,
    cohort_quantile(sleep_latency_seconds_sum / nights, 0.25) as sleep_latency_seconds_p25,
    cohort_quantile(sleep_latency_seconds_sum / nights, 0.75) as sleep_latency_seconds_p75,
    cohort_night_mean(sleep_latency_seconds_sum, nights) as sleep_latency_seconds_night_mean,
    cohort_mean(waso_seconds_sum / nights) as waso_seconds_mean,
    cohort_quantile(waso_seconds_sum / nights, 0.5) as waso_seconds_median,
    cohort_sd(waso_seconds_sum / nights) as waso_seconds_sd,
    cohort_quantile(waso_seconds_sum / nights, 0.25) as waso_seconds_p25,
    cohort_quantile(waso_seconds_sum / nights, 0.75) as waso_seconds_p75,
    cohort_night_mean(waso_seconds_sum, nights) as waso_seconds_night_mean,
    cohort_mean(light_pct_sum / nights) as light_pct_mean,
    cohort_quantile(light_pct_sum / nights, 0.5) as light_pct_median,
    cohort_sd(light_pct_sum / nights) as light_pct_sd,
    cohort_quantile(light_pct_sum / nights, 0.25) as light_pct_p25,
    cohort_quantile(light_pct_sum / nights, 0.75) as light_pct_p75,
    cohort_night_mean(light_pct_sum, nights) as light_pct_night_mean,
    cohort_mean(deep_pct_sum / nights) as deep_pct_mean,
    cohort_quantile(deep_pct_sum / nights, 0.5) as deep_pct_median,
    cohort_sd(deep_pct_sum / nights) as deep_pct_sd,
    cohort_quantile(deep_pct_sum / nights, 0.25) as deep_pct_p25,
    cohort_quantile(deep_pct_sum / nights, 0.75) as deep_pct_p75,
    cohort_night_mean(deep_pct_sum, nights) as deep_pct_night_mean,
    cohort_mean(rem_pct_sum / nights) as rem_pct_mean,
    cohort_quantile(rem_pct_sum / nights, 0.5) as rem_pct_median,
    cohort_sd(rem_pct_sum / nights) as rem_pct_sd,
    cohort_quantile(rem_pct_sum / nights, 0.25) as rem_pct_p25,
    cohort_quantile(rem_pct_sum / nights, 0.75) as rem_pct_p75,
    cohort_night_mean(rem_pct_sum, nights) as rem_pct_night_mean
from grouped
group by cohort_type, cohort, week_start
