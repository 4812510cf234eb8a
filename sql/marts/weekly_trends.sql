-- grain: one row per user_id, week_start
-- rebuild by: week
-- A user's week over valid main sleeps; naps and sleepless nights apart. Means of times are circular.
-- columns:
-- user_id: the customer's user
-- week_start: Monday of the ISO week of sleep_date
-- nights: main sleeps that are valid; every average is over these
-- naps: valid sessions that are not the main sleep of their date
-- never_slept_nights: main sleeps in which nobody slept
-- coverage_pct: share of the week's 7 nights that are valid, 0..100
-- time_in_sleep_seconds_mean: mean of time asleep (TST) in seconds
-- time_in_sleep_seconds_median: median of time asleep (TST) in seconds
-- time_in_sleep_seconds_sd: sample standard deviation of time asleep in seconds; null under two nights
-- sleep_efficiency_pct_mean: mean of sleep efficiency, 0..100
-- sleep_latency_seconds_mean: mean of sleep latency (SOL) in seconds
-- waso_seconds_mean: mean of wake after sleep onset in seconds
-- time_in_light_seconds_mean: mean of light sleep in seconds
-- time_in_deep_seconds_mean: mean of deep sleep in seconds
-- time_in_rem_seconds_mean: mean of REM sleep in seconds
-- light_pct_mean: mean share of light sleep in TST, 0..100
-- deep_pct_mean: mean share of deep sleep in TST, 0..100
-- rem_pct_mean: mean share of REM sleep in TST, 0..100
-- vendor_sleep_index_mean: mean of the vendor's sleep score
-- time_in_sleep_seconds_mean_change: difference to the calendar week before; null across a gap
-- time_in_sleep_seconds_median_change: difference to the calendar week before; null across a gap
-- time_in_sleep_seconds_sd_change: difference to the calendar week before; null across a gap
-- sleep_efficiency_pct_mean_change: difference to the calendar week before; null across a gap
-- sleep_latency_seconds_mean_change: difference to the calendar week before; null across a gap
-- waso_seconds_mean_change: difference to the calendar week before; null across a gap
-- time_in_light_seconds_mean_change: difference to the calendar week before; null across a gap
-- time_in_deep_seconds_mean_change: difference to the calendar week before; null across a gap
-- time_in_rem_seconds_mean_change: difference to the calendar week before; null across a gap
-- light_pct_mean_change: difference to the calendar week before; null across a gap
-- deep_pct_mean_change: difference to the calendar week before; null across a gap
-- rem_pct_mean_change: difference to the calendar week before; null across a gap
-- vendor_sleep_index_mean_change: difference to the calendar week before; null across a gap
-- time_in_sleep_seconds_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- time_in_sleep_seconds_median_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- time_in_sleep_seconds_sd_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- sleep_efficiency_pct_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- sleep_latency_seconds_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- waso_seconds_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- time_in_light_seconds_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- time_in_deep_seconds_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- time_in_rem_seconds_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- light_pct_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- deep_pct_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- rem_pct_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- vendor_sleep_index_mean_trailing_4_weeks: mean of those that this and the 3 weeks before have
-- bedtime_local_mean: mean local bedtime, when the session started; null where the times cancel out, as below
-- sleep_onset_local_mean: mean local sleep onset
-- wake_time_local_mean: mean local wake time: the end of the last sleep epoch
-- midsleep_local_mean: mean local mid-sleep, the middle between onset and wake time
-- bedtime_sd_minutes: circular standard deviation of bedtime in minutes; null under two nights
-- midsleep_sd_minutes: circular standard deviation of mid-sleep in minutes; null under two nights
-- sleep_regularity_index: 200 x P(asleep or awake alike 24 h apart) - 100, of sri_valid_pairs; -100..100
-- sri_valid_pairs: 30-s epochs known in two nights of the week 24 h apart (elapsed, not by the clock)
-- social_jetlag_minutes: mid-sleep of Sat/Sun wake dates against Mon-Fri, in minutes; null unless both
select
    t.user_id,
    t.week_start,
    this_week(nights, weeks_ago) as nights,
    this_week(naps, weeks_ago) as naps,
    this_week(never_slept_nights, weeks_ago) as never_slept_nights,
    this_week(coverage_pct, weeks_ago) as coverage_pct,
    this_week(time_in_sleep_seconds_mean, weeks_ago) as time_in_sleep_seconds_mean,
    this_week(time_in_sleep_seconds_median, weeks_ago) as time_in_sleep_seconds_median,
    this_week(time_in_sleep_seconds_sd, weeks_ago) as time_in_sleep_seconds_sd,
    this_week(sleep_efficiency_pct_mean, weeks_ago) as sleep_efficiency_pct_mean,
    this_week(sleep_latency_seconds_mean, weeks_ago) as sleep_latency_seconds_mean,
    this_week(waso_seconds_mean, weeks_ago) as waso_seconds_mean,
    this_week(time_in_light_seconds_mean, weeks_ago) as time_in_light_seconds_mean,
    this_week(time_in_deep_seconds_mean, weeks_ago) as time_in_deep_seconds_mean,
    this_week(time_in_rem_seconds_mean, weeks_ago) as time_in_rem_seconds_mean,
    this_week(light_pct_mean, weeks_ago) as light_pct_mean,
    this_week(deep_pct_mean, weeks_ago) as deep_pct_mean,
    this_week(rem_pct_mean, weeks_ago) as rem_pct_mean,
    this_week(vendor_sleep_index_mean, weeks_ago) as vendor_sleep_index_mean,
    weekly_change(time_in_sleep_seconds_mean, weeks_ago) as time_in_sleep_seconds_mean_change,
    weekly_change(time_in_sleep_seconds_median, weeks_ago) as time_in_sleep_seconds_median_change,
    weekly_change(time_in_sleep_seconds_sd, weeks_ago) as time_in_sleep_seconds_sd_change,
    weekly_change(sleep_efficiency_pct_mean, weeks_ago) as sleep_efficiency_pct_mean_change,
    weekly_change(sleep_latency_seconds_mean, weeks_ago) as sleep_latency_seconds_mean_change,
    weekly_change(waso_seconds_mean, weeks_ago) as waso_seconds_mean_change,
    weekly_change(time_in_light_seconds_mean, weeks_ago) as time_in_light_seconds_mean_change,
    weekly_change(time_in_deep_seconds_mean, weeks_ago) as time_in_deep_seconds_mean_change,
    weekly_change(time_in_rem_seconds_mean, weeks_ago) as time_in_rem_seconds_mean_change,
    weekly_change(light_pct_mean, weeks_ago) as light_pct_mean_change,
    weekly_change(deep_pct_mean, weeks_ago) as deep_pct_mean_change,
    weekly_change(rem_pct_mean, weeks_ago) as rem_pct_mean_change,
    weekly_change(vendor_sleep_index_mean, weeks_ago) as vendor_sleep_index_mean_change,
    trailing_mean(time_in_sleep_seconds_mean, weeks_ago) as time_in_sleep_seconds_mean_trailing_4_weeks,
    trailing_mean(time_in_sleep_seconds_median, weeks_ago) as time_in_sleep_seconds_median_trailing_4_weeks,
    trailing_mean(time_in_sleep_seconds_sd, weeks_ago) as time_in_sleep_seconds_sd_trailing_4_weeks,
    trailing_mean(sleep_efficiency_pct_mean, weeks_ago) as sleep_efficiency_pct_mean_trailing_4_weeks,
    trailing_mean(sleep_latency_seconds_mean, weeks_ago) as sleep_latency_seconds_mean_trailing_4_weeks,
    trailing_mean(waso_seconds_mean, weeks_ago) as waso_seconds_mean_trailing_4_weeks,
    trailing_mean(time_in_light_seconds_mean, weeks_ago) as time_in_light_seconds_mean_trailing_4_weeks,
    trailing_mean(time_in_deep_seconds_mean, weeks_ago) as time_in_deep_seconds_mean_trailing_4_weeks,
    trailing_mean(time_in_rem_seconds_mean, weeks_ago) as time_in_rem_seconds_mean_trailing_4_weeks,
    trailing_mean(light_pct_mean, weeks_ago) as light_pct_mean_trailing_4_weeks,
    trailing_mean(deep_pct_mean, weeks_ago) as deep_pct_mean_trailing_4_weeks,
    trailing_mean(rem_pct_mean, weeks_ago) as rem_pct_mean_trailing_4_weeks,
    trailing_mean(vendor_sleep_index_mean, weeks_ago) as vendor_sleep_index_mean_trailing_4_weeks,
    this_week(bedtime_local_mean, weeks_ago) as bedtime_local_mean,
    this_week(sleep_onset_local_mean, weeks_ago) as sleep_onset_local_mean,
    this_week(wake_time_local_mean, weeks_ago) as wake_time_local_mean,
    this_week(midsleep_local_mean, weeks_ago) as midsleep_local_mean,
    this_week(bedtime_sd_minutes, weeks_ago) as bedtime_sd_minutes,
    this_week(midsleep_sd_minutes, weeks_ago) as midsleep_sd_minutes,
    this_week(sleep_regularity_index, weeks_ago) as sleep_regularity_index,
    this_week(sri_valid_pairs, weeks_ago) as sri_valid_pairs,
    this_week(social_jetlag_minutes, weeks_ago) as social_jetlag_minutes
from touched_weeks as t
cross join range(4) as ago(weeks_ago)
inner join int_week_figures as w on w.user_id = t.user_id and w.week_start = t.week_start - 7 * weeks_ago::int
group by t.user_id, t.week_start
having bool_or(weeks_ago = 0)
