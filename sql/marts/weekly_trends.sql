-- grain: one row per user_id, week_start
-- rebuild by: user
-- Each user's week of sleep: averages over main sleeps that are valid; naps and sleepless nights counted
-- apart.
-- columns:
-- user_id: the customer's user
-- week_start: Monday of the ISO week of sleep_date
-- nights: main sleeps that are valid; every average is over these
-- naps: valid sessions that are not the main sleep of their date
-- never_slept_nights: main sleeps in which nobody slept
-- coverage_pct: share of the week's 7 nights that are valid, 0..100
-- time_in_sleep_seconds_mean: mean of time asleep (TST) in seconds
-- sleep_efficiency_pct_mean: mean of sleep efficiency, 0..100
-- sleep_latency_seconds_mean: mean of sleep latency (SOL) in seconds
-- waso_seconds_mean: mean of wake after sleep onset in seconds
-- time_in_light_seconds_mean: mean of light sleep in seconds
-- time_in_deep_seconds_mean: mean of deep sleep in seconds
-- time_in_rem_seconds_mean: mean of REM sleep in seconds
-- light_pct_mean: mean of share of light sleep in TST, 0..100
-- deep_pct_mean: mean of share of deep sleep in TST, 0..100
-- rem_pct_mean: mean of share of REM sleep in TST, 0..100
-- vendor_sleep_index_mean: mean of the vendor's sleep score
-- time_in_sleep_seconds_median: median of time asleep (TST) in seconds
-- time_in_sleep_seconds_sd: sample standard deviation of time asleep in seconds; null under two nights
-- bedtime_local_mean: circular mean over 24 h of the local bedtime: when the session started; null when the
-- times cancel out
-- sleep_onset_local_mean: circular mean over 24 h of the local sleep onset; null when the times cancel out
-- wake_time_local_mean: circular mean over 24 h of the local wake time: the end of the last sleep epoch;
-- null when the times cancel out
-- midsleep_local_mean: circular mean over 24 h of the local mid-sleep, the middle between onset and wake
-- time; null when the times cancel out
-- bedtime_sd_minutes: circular standard deviation of bedtime in minutes; null under two nights
-- midsleep_sd_minutes: circular standard deviation of mid-sleep in minutes; null under two nights
with
    user_sessions as (
        select
            sessions.*,
            is_main_sleep and validity = 'valid' as is_night,
            -- the time of day as an angle: 24 hours are one turn
            2 * pi() * epoch(started_local::time) / 86400 as bedtime_angle,
            2 * pi() * epoch(sleep_onset_local::time) / 86400 as sleep_onset_angle,
            2 * pi() * epoch(wake_local::time) / 86400 as wake_time_angle,
            2 * pi() * epoch(midsleep_local::time) / 86400 as midsleep_angle
        from sessions
        inner join touched_users using (user_id)
        where week_start is not null
    ),

    -- sums of fractions depend on their order: one order gives one result in every build
    weeks as (
        select
            user_id,
            week_start,
            count(*) filter (is_night)::integer as nights,
            count(*) filter (not is_main_sleep and validity = 'valid')::integer as naps,
            count(*) filter (is_main_sleep and validity = 'never_slept')::integer as never_slept_nights,
            round(avg(time_in_sleep_seconds) filter (is_night), 4) as time_in_sleep_seconds_mean,
            round(
                avg(sleep_efficiency_pct order by sleep_efficiency_pct) filter (is_night), 4
            ) as sleep_efficiency_pct_mean,
            round(avg(sleep_latency_seconds) filter (is_night), 4) as sleep_latency_seconds_mean,
            round(avg(waso_seconds) filter (is_night), 4) as waso_seconds_mean,
            round(avg(time_in_light_seconds) filter (is_night), 4) as time_in_light_seconds_mean,
            round(avg(time_in_deep_seconds) filter (is_night), 4) as time_in_deep_seconds_mean,
            round(avg(time_in_rem_seconds) filter (is_night), 4) as time_in_rem_seconds_mean,
            round(avg(light_pct order by light_pct) filter (is_night), 4) as light_pct_mean,
            round(avg(deep_pct order by deep_pct) filter (is_night), 4) as deep_pct_mean,
            round(avg(rem_pct order by rem_pct) filter (is_night), 4) as rem_pct_mean,
            round(
                avg(vendor_sleep_index order by vendor_sleep_index) filter (is_night), 4
            ) as vendor_sleep_index_mean,
            round(median(time_in_sleep_seconds) filter (is_night), 4) as time_in_sleep_seconds_median,
            round(
                stddev_samp(time_in_sleep_seconds order by time_in_sleep_seconds) filter (is_night), 4
            ) as time_in_sleep_seconds_sd,
            avg(sin(bedtime_angle) order by bedtime_angle) filter (is_night) as bedtime_sin,
            avg(cos(bedtime_angle) order by bedtime_angle) filter (is_night) as bedtime_cos,
            avg(sin(sleep_onset_angle) order by sleep_onset_angle) filter (is_night) as sleep_onset_sin,
            avg(cos(sleep_onset_angle) order by sleep_onset_angle) filter (is_night) as sleep_onset_cos,
            avg(sin(wake_time_angle) order by wake_time_angle) filter (is_night) as wake_time_sin,
            avg(cos(wake_time_angle) order by wake_time_angle) filter (is_night) as wake_time_cos,
            avg(sin(midsleep_angle) order by midsleep_angle) filter (is_night) as midsleep_sin,
            avg(cos(midsleep_angle) order by midsleep_angle) filter (is_night) as midsleep_cos
        from user_sessions
        group by user_id, week_start
    )

select
    user_id,
    week_start,
    nights,
    naps,
    never_slept_nights,
    round(100.0 * nights / 7, 4)::double as coverage_pct,
    time_in_sleep_seconds_mean,
    sleep_efficiency_pct_mean,
    sleep_latency_seconds_mean,
    waso_seconds_mean,
    time_in_light_seconds_mean,
    time_in_deep_seconds_mean,
    time_in_rem_seconds_mean,
    light_pct_mean,
    deep_pct_mean,
    rem_pct_mean,
    vendor_sleep_index_mean,
    time_in_sleep_seconds_median,
    time_in_sleep_seconds_sd,
    case
        when sqrt(pow(bedtime_sin, 2) + pow(bedtime_cos, 2)) > 1e-9
        then time '00:00:00' + to_seconds(round(atan2(bedtime_sin, bedtime_cos) * 43200 / pi()))
    end as bedtime_local_mean,
    case
        when sqrt(pow(sleep_onset_sin, 2) + pow(sleep_onset_cos, 2)) > 1e-9
        then time '00:00:00' + to_seconds(round(atan2(sleep_onset_sin, sleep_onset_cos) * 43200 / pi()))
    end as sleep_onset_local_mean,
    case
        when sqrt(pow(wake_time_sin, 2) + pow(wake_time_cos, 2)) > 1e-9
        then time '00:00:00' + to_seconds(round(atan2(wake_time_sin, wake_time_cos) * 43200 / pi()))
    end as wake_time_local_mean,
    case
        when sqrt(pow(midsleep_sin, 2) + pow(midsleep_cos, 2)) > 1e-9
        then time '00:00:00' + to_seconds(round(atan2(midsleep_sin, midsleep_cos) * 43200 / pi()))
    end as midsleep_local_mean,
    case
        when nights > 1 and sqrt(pow(bedtime_sin, 2) + pow(bedtime_cos, 2)) > 1e-9
        then round(sqrt(-2 * ln(least(sqrt(pow(bedtime_sin, 2) + pow(bedtime_cos, 2)), 1))) * 720 / pi(), 4)
    end as bedtime_sd_minutes,
    case
        when nights > 1 and sqrt(pow(midsleep_sin, 2) + pow(midsleep_cos, 2)) > 1e-9
        then round(sqrt(-2 * ln(least(sqrt(pow(midsleep_sin, 2) + pow(midsleep_cos, 2)), 1))) * 720 / pi(), 4)
    end as midsleep_sd_minutes
from weeks
