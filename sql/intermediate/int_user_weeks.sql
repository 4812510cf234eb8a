-- grain: one row per user_id, week_start (null: sessions without a date)
-- rebuild by: week
-- Counts and exact sums of a user's week, over valid main sleeps: what trends and cohorts are made of.
with
    week_sessions as (
        select
            s.*,
            vendor.vendor_sleep_index,
            main.session_id is not null as is_main_sleep,
            main.session_id is not null and s.validity = 'valid' as is_night
        from int_sessions as s
        semi join
            touched_weeks
            on touched_weeks.user_id = s.user_id
            and touched_weeks.week_start is not distinct from s.week_start
        left join int_main_sleeps as main using (user_id, session_id, week_start)
        left join int_vendor_statistics as vendor using (user_id, session_id)
    )

-- percentages have four digits: as decimals their sums do not depend on the order
select
    user_id,
    week_start,
    count(*) as sessions,
    count(*) filter (is_night) as nights,
    count(*) filter (not is_main_sleep and validity = 'valid') as naps,
    count(*) filter (is_main_sleep and validity = 'never_slept') as never_slept_nights,
    min(sleep_date) filter (is_night) as first_night,
    max(sleep_date) filter (is_night) as last_night,
    sum(case when is_night then time_in_sleep_seconds end)::bigint as time_in_sleep_seconds_sum,
    sum(case when is_night then sleep_latency_seconds end)::bigint as sleep_latency_seconds_sum,
    sum(case when is_night then waso_seconds end)::bigint as waso_seconds_sum,
    sum(case when is_night then time_in_light_seconds end)::bigint as time_in_light_seconds_sum,
    sum(case when is_night then time_in_deep_seconds end)::bigint as time_in_deep_seconds_sum,
    sum(case when is_night then time_in_rem_seconds end)::bigint as time_in_rem_seconds_sum,
    sum(case when is_night then sleep_efficiency_pct::decimal(9, 4) end) as sleep_efficiency_pct_sum,
    sum(case when is_night then light_pct::decimal(9, 4) end) as light_pct_sum,
    sum(case when is_night then deep_pct::decimal(9, 4) end) as deep_pct_sum,
    sum(case when is_night then rem_pct::decimal(9, 4) end) as rem_pct_sum,
    sum(case when is_night then vendor_sleep_index::decimal(18, 4) end) as vendor_sleep_index_sum,
    count(vendor_sleep_index) filter (is_night) as vendor_sleep_index_nights,
    round(median(time_in_sleep_seconds) filter (is_night), 4) as time_in_sleep_seconds_median,
    round(
        stddev_samp(time_in_sleep_seconds order by time_in_sleep_seconds) filter (is_night), 4
    ) as time_in_sleep_seconds_sd
from week_sessions
group by user_id, week_start
