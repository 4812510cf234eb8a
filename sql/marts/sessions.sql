-- grain: one row per user_id, session_id
-- rebuild by: week
-- Every tracked session, computed from its 30-s epochs; the vendor's own numbers stand beside as vendor_*.
-- Unknown epochs (-1) are neither sleep nor wake, and part of the time in bed.
-- columns:
-- user_id: the customer's user; with session_id the key
-- session_id: the session, unique within its user only
-- state: complete once the final report is in; abandoned after a long silence without one; else in_progress
-- is_final: whether the final report is in
-- started_at: instant (UTC) at which tracking started
-- ended_at: instant (UTC) at which tracking ended; before the final report, the end of the last window
-- started_local: wall-clock time of started_at in the session's zone
-- ended_local: wall-clock time of ended_at in the session's zone
-- timezone: the user's zone: an IANA name, or a fixed offset such as +09:00
-- timezone_source: source of the zone: created_timezone, timezone, offset (inside a time), default (UTC)
-- started_at_source: source of started_at: session_complete, inference, time_window, sequence_number, arrival
-- sleep_date: local date of the session's end, the day that the night belongs to
-- week_start: Monday of sleep_date's ISO week
-- is_main_sleep: whether it has the most sleep of its user and sleep_date (ties: longest in bed, earliest);
-- others are naps
-- validity: valid, or why the session stays out of averages: in_progress, no_stages, too_short_for_analysis
-- (under 5 minutes), too_long_for_analysis (over 24 hours), too_many_defects (over half unknown, or the
-- vendor says so), never_slept, implausible_times (more sleep than time in bed), rejected_by_vendor
-- (vendor_validity says why)
-- peculiarities: the vendor's remarks, such as NEVER_SLEPT or NO_BREATHING_STABILITY
-- time_in_bed_seconds: TIB, ended_at - started_at, in seconds
-- sleep_period_seconds: SPT, first to last sleep epoch inclusive, in seconds; null when never slept
-- time_in_sleep_seconds: TST, epochs of light, deep and REM x 30 s
-- time_in_light_seconds: epochs of light sleep x 30 s
-- time_in_deep_seconds: epochs of deep sleep x 30 s
-- time_in_rem_seconds: epochs of REM sleep x 30 s
-- unknown_seconds: epochs without a known stage x 30 s
-- waso_seconds: wake after sleep onset: wake epochs inside the sleep period x 30 s
-- waso_count: runs of wake inside the sleep period
-- longest_waso_seconds: the longest of these runs, in seconds
-- sleep_latency_seconds: SOL, from the start to the first epoch of any sleep; null when never slept
-- wakeup_latency_seconds: from the end of the last sleep epoch to the end of the last epoch; null when
-- never slept
-- light_latency_seconds: from sleep onset to the first light epoch; null without one
-- deep_latency_seconds: from sleep onset to the first deep epoch; null without one
-- rem_latency_seconds: from sleep onset to the first REM epoch; null without one
-- sleep_efficiency_pct: 100 x TST / TIB (AASM)
-- sleep_maintenance_pct: 100 x TST / SPT
-- light_pct: share of light sleep in TST, 0..100
-- deep_pct: share of deep sleep in TST, 0..100
-- rem_pct: share of REM sleep in TST, 0..100
-- sleep_cycle_count: REM clusters: a gap over 20 epochs splits, a cluster has at least 20 REM epochs (the
-- vendor's rule)
-- snoring_seconds: epochs with snoring x 30 s; null where the vendor sent none
-- unstable_breath_seconds: epochs of unstable breathing x 30 s; null where the vendor sent none
-- unknown_pct: share of unknown epochs, 0..100
-- missing_data_ratio: share of audio that the vendor did not get, 0..1, as it says
-- epoch_count: 30-s epochs in the timeline
-- sleep_onset_at: instant (UTC) of the start of the first sleep epoch
-- wake_at: instant (UTC) of the end of the last sleep epoch
-- sleep_onset_local: wall-clock time of sleep_onset_at in the session's zone
-- wake_local: wall-clock time of wake_at in the session's zone
-- midsleep_local: wall-clock time of the middle between sleep onset and the end of the last sleep epoch
-- vendor_sleep_index: the vendor's sleep score, 0..100
-- vendor_time_in_bed_seconds: the vendor's time in bed, in seconds
-- vendor_sleep_period_seconds: the vendor's time_in_sleep_period, in seconds
-- vendor_time_in_sleep_seconds: the vendor's time asleep, in seconds
-- vendor_time_in_wake_seconds: the vendor's time awake inside the sleep period, in seconds
-- vendor_time_in_light_seconds: the vendor's time in light sleep, in seconds
-- vendor_time_in_deep_seconds: the vendor's time in deep sleep, in seconds
-- vendor_time_in_rem_seconds: the vendor's time in REM sleep, in seconds
-- vendor_sleep_efficiency_pct: the vendor's sleep efficiency as percent (a ratio is multiplied by 100)
-- vendor_sleep_latency_seconds: the vendor's sleep latency, in seconds
-- vendor_wakeup_latency_seconds: the vendor's wake-up latency, in seconds
-- vendor_light_latency_seconds: the vendor's latency of light sleep from sleep onset, in seconds
-- vendor_deep_latency_seconds: the vendor's latency of deep sleep from sleep onset, in seconds
-- vendor_rem_latency_seconds: the vendor's latency of REM sleep from sleep onset, in seconds
-- vendor_sleep_ratio_pct: the vendor's share of sleep in its sleep period, 0..100
-- vendor_wake_ratio_pct: the vendor's share of wake in its sleep period, 0..100
-- vendor_light_ratio_pct: the vendor's share of light sleep in its sleep period, 0..100
-- vendor_deep_ratio_pct: the vendor's share of deep sleep in its sleep period, 0..100
-- vendor_rem_ratio_pct: the vendor's share of REM sleep in its sleep period, 0..100
-- vendor_waso_count: the vendor's number of awakenings after sleep onset
-- vendor_longest_waso_seconds: the vendor's longest awakening, in seconds
-- vendor_sleep_cycle_count: the vendor's number of sleep cycles
-- vendor_sleep_cycle_mean_seconds: the vendor's mean length of a sleep cycle, in seconds
-- vendor_last_cycle_at: the vendor's end of the last sleep cycle
-- vendor_sleep_time_seconds: sleep_time where the vendor sent it as a duration, in seconds
-- vendor_sleep_onset_at: sleep_time where the vendor sent it as an instant
-- vendor_wake_at: the vendor's wake_time
-- vendor_snoring_seconds: the vendor's time in snoring, in seconds
-- vendor_no_snoring_seconds: the vendor's time without snoring, in seconds
-- vendor_snoring_ratio_pct: the vendor's share of snoring in its sleep period, 0..100
-- vendor_no_snoring_ratio_pct: the vendor's share without snoring in its sleep period, 0..100
-- vendor_snoring_count: the vendor's number of snoring episodes
-- vendor_unstable_breath_seconds: the vendor's time in unstable breathing, in seconds
-- vendor_stable_breath_seconds: the vendor's time in stable breathing, in seconds
-- vendor_unstable_breath_ratio_pct: the vendor's share of unstable breathing in its sleep period, 0..100
-- vendor_stable_breath_ratio_pct: the vendor's share of stable breathing in its sleep period, 0..100
-- vendor_unstable_breath_count: the vendor's number of unstable breathing episodes
-- vendor_breathing_index: the vendor's breathing index
-- vendor_breathing_pattern: the vendor's word for the breathing
-- vendor_validity: the vendor's validity word of the older API versions
-- vendor_stat: the vendor's statistics as they came, JSON
-- inference_events: inference windows that count (copies apart)
-- final_reports: final reports that count (copies apart); the latest one wins
-- duplicate_events: events that repeat the body or the timestamp of an earlier one
-- first_received_at: instant (UTC) at which the first event of the session arrived
-- last_received_at: instant (UTC) at which the last event that counts arrived
-- raw_receipt_id: receipt of the final report that made the row; null before there is one
-- stages_receipt_id: receipt of the final report that the stages come from; null where they come from windows
select
    int_sessions.* exclude (utc_offset_seconds, report_received_at),
    main.session_id is not null as is_main_sleep,
    vendor.* exclude (user_id, session_id),
    finals.vendor_stat
from int_sessions
semi join
    touched_weeks
    on touched_weeks.user_id = int_sessions.user_id
    and touched_weeks.week_start is not distinct from int_sessions.week_start
left join int_main_sleeps as main using (user_id, session_id, week_start)
left join int_vendor_statistics as vendor using (user_id, session_id)
left join int_session_finals as finals using (user_id, session_id)
