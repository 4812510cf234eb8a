-- grain: one row per user_id, session_id whose final report carries statistics
-- rebuild by: session
-- What the vendor said of a session, units made canonical. The live service and the vendor's document clash:
-- efficiency as ratio or percent, sleep_time as instant or duration, sleep_cycle as mean length or list.
with
    reports as (
        select user_id, session_id, vendor_stat::json as stat
        from int_session_finals
        inner join touched_sessions using (user_id, session_id)
        where vendor_stat is not null
    ),

    fields as (
        select
            user_id,
            session_id,
            from_json(
                stat, '{"sleep_time":"JSON","wake_time":"JSON","sleep_index":"JSON","sleep_latency":"JSON",
                  "wakeup_latency":"JSON","light_latency":"JSON","deep_latency":"JSON","rem_latency":"JSON",
                  "time_in_bed":"JSON","time_in_sleep_period":"JSON","time_in_sleep":"JSON",
                  "time_in_wake":"JSON","time_in_light":"JSON","time_in_deep":"JSON","time_in_rem":"JSON",
                  "time_in_snoring":"JSON","time_in_no_snoring":"JSON","time_in_unstable_breath":"JSON",
                  "time_in_stable_breath":"JSON","sleep_efficiency":"JSON","sleep_ratio":"JSON",
                  "wake_ratio":"JSON","light_ratio":"JSON","deep_ratio":"JSON","rem_ratio":"JSON",
                  "snoring_ratio":"JSON","no_snoring_ratio":"JSON","unstable_breath_ratio":"JSON",
                  "stable_breath_ratio":"JSON","waso_count":"JSON","longest_waso":"JSON",
                  "sleep_cycle_count":"JSON","sleep_cycle":"JSON","sleep_cycle_time":"JSON",
                  "breathing_index":"JSON","breathing_pattern":"JSON","snoring_count":"JSON",
                  "unstable_breath_count":"JSON"}'
            ) as s
        from reports
    ),

    typed as (
        select *, json_number(s.sleep_efficiency) as efficiency, s.sleep_time ->> '$' as sleep_time_text
        from fields
    )

select
    user_id,
    session_id,
    json_number(s.sleep_index) as vendor_sleep_index,
    json_number(s.time_in_bed)::integer as vendor_time_in_bed_seconds,
    json_number(s.time_in_sleep_period)::integer as vendor_sleep_period_seconds,
    json_number(s.time_in_sleep)::integer as vendor_time_in_sleep_seconds,
    json_number(s.time_in_wake)::integer as vendor_time_in_wake_seconds,
    json_number(s.time_in_light)::integer as vendor_time_in_light_seconds,
    json_number(s.time_in_deep)::integer as vendor_time_in_deep_seconds,
    json_number(s.time_in_rem)::integer as vendor_time_in_rem_seconds,
    -- above 1 it can only be percent; at or below, a percentage of sleep that small is no night
    round(
        case when efficiency <= 1 then 100 * efficiency else efficiency end, 4
    ) as vendor_sleep_efficiency_pct,
    json_number(s.sleep_latency)::integer as vendor_sleep_latency_seconds,
    json_number(s.wakeup_latency)::integer as vendor_wakeup_latency_seconds,
    json_number(s.light_latency)::integer as vendor_light_latency_seconds,
    json_number(s.deep_latency)::integer as vendor_deep_latency_seconds,
    json_number(s.rem_latency)::integer as vendor_rem_latency_seconds,
    round(100 * json_number(s.sleep_ratio), 4) as vendor_sleep_ratio_pct,
    round(100 * json_number(s.wake_ratio), 4) as vendor_wake_ratio_pct,
    round(100 * json_number(s.light_ratio), 4) as vendor_light_ratio_pct,
    round(100 * json_number(s.deep_ratio), 4) as vendor_deep_ratio_pct,
    round(100 * json_number(s.rem_ratio), 4) as vendor_rem_ratio_pct,
    json_number(s.waso_count)::integer as vendor_waso_count,
    json_number(s.longest_waso)::integer as vendor_longest_waso_seconds,
    case
        when json_type(s.sleep_cycle) = 'ARRAY'
        then json_array_length(s.sleep_cycle)::integer
        else json_number(s.sleep_cycle_count)::integer
    end as vendor_sleep_cycle_count,
    case
        when json_type(s.sleep_cycle) <> 'ARRAY' then json_number(s.sleep_cycle)
    end as vendor_sleep_cycle_mean_seconds,
    plausible_instant(s.sleep_cycle_time ->> '$[#-1]') as vendor_last_cycle_at,
    case
        when regexp_full_match(sleep_time_text, '\d{1,2}:\d\d:\d\d')
        then
            split_part(sleep_time_text, ':', 1)::integer * 3600
            + split_part(sleep_time_text, ':', 2)::integer * 60
            + split_part(sleep_time_text, ':', 3)::integer
    end as vendor_sleep_time_seconds,
    case
        when not regexp_full_match(sleep_time_text, '\d{1,2}:\d\d:\d\d')
        then plausible_instant(sleep_time_text)
    end as vendor_sleep_onset_at,
    plausible_instant(s.wake_time ->> '$') as vendor_wake_at,
    json_number(s.time_in_snoring)::integer as vendor_snoring_seconds,
    json_number(s.time_in_no_snoring)::integer as vendor_no_snoring_seconds,
    round(100 * json_number(s.snoring_ratio), 4) as vendor_snoring_ratio_pct,
    round(100 * json_number(s.no_snoring_ratio), 4) as vendor_no_snoring_ratio_pct,
    json_number(s.snoring_count)::integer as vendor_snoring_count,
    json_number(s.time_in_unstable_breath)::integer as vendor_unstable_breath_seconds,
    json_number(s.time_in_stable_breath)::integer as vendor_stable_breath_seconds,
    round(100 * json_number(s.unstable_breath_ratio), 4) as vendor_unstable_breath_ratio_pct,
    round(100 * json_number(s.stable_breath_ratio), 4) as vendor_stable_breath_ratio_pct,
    json_number(s.unstable_breath_count)::integer as vendor_unstable_breath_count,
    json_number(s.breathing_index) as vendor_breathing_index,
    s.breathing_pattern ->> '$' as vendor_breathing_pattern
from typed
