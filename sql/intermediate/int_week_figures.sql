-- grain: one row per user_id, week_start
-- rebuild by: view
-- Everything of a user's week that its own nights tell; what depends on the weeks before comes later.
select
    w.user_id,
    w.week_start,
    w.nights::integer as nights,
    w.naps::integer as naps,
    w.never_slept_nights::integer as never_slept_nights,
    round(100.0 * w.nights / 7, 4)::double as coverage_pct,
    round(w.time_in_sleep_seconds_sum / w.nights, 4) as time_in_sleep_seconds_mean,
    w.time_in_sleep_seconds_median,
    w.time_in_sleep_seconds_sd,
    round(w.sleep_efficiency_pct_sum / w.nights, 4) as sleep_efficiency_pct_mean,
    round(w.sleep_latency_seconds_sum / w.nights, 4) as sleep_latency_seconds_mean,
    round(w.waso_seconds_sum / w.nights, 4) as waso_seconds_mean,
    round(w.time_in_light_seconds_sum / w.nights, 4) as time_in_light_seconds_mean,
    round(w.time_in_deep_seconds_sum / w.nights, 4) as time_in_deep_seconds_mean,
    round(w.time_in_rem_seconds_sum / w.nights, 4) as time_in_rem_seconds_mean,
    round(w.light_pct_sum / w.nights, 4) as light_pct_mean,
    round(w.deep_pct_sum / w.nights, 4) as deep_pct_mean,
    round(w.rem_pct_sum / w.nights, 4) as rem_pct_mean,
    round(w.vendor_sleep_index_sum / w.vendor_sleep_index_nights, 4) as vendor_sleep_index_mean,
    times.bedtime_local_mean,
    times.sleep_onset_local_mean,
    times.wake_time_local_mean,
    times.midsleep_local_mean,
    times.bedtime_sd_minutes,
    times.midsleep_sd_minutes,
    regularity.sleep_regularity_index,
    coalesce(regularity.sri_valid_pairs, 0) as sri_valid_pairs,
    times.social_jetlag_minutes
from int_user_weeks as w
left join int_week_times as times on times.user_id = w.user_id and times.week_start = w.week_start
left join
    int_week_regularity as regularity
    on regularity.user_id = w.user_id
    and regularity.week_start = w.week_start
where w.week_start is not null
