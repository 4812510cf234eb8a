-- grain: one row per user_id, session_id
-- rebuild by: session
-- Everything about a session that its own events tell; what depends on the user's other sessions comes later.
with
    sessions as (
        select
            reports.*,
            spans.* exclude (user_id, session_id),
            counted.* exclude (user_id, session_id),
            snoring_epochs,
            unstable_breath_epochs,
            30 * (light_epochs + deep_epochs + rem_epochs) as time_in_sleep_seconds,
            30 * (wake_epoch - onset_epoch) as sleep_period_seconds,
            case
                when final_reports > 0
                then 'complete'
                when epoch(last_received_at) <= epoch($as_of::timestamptz) - $abandoned_after_seconds::double
                then 'abandoned'
                else 'in_progress'
            end as state
        from int_session_reports as reports
        inner join touched_sessions using (user_id, session_id)
        inner join int_session_spans as spans using (user_id, session_id)
        left join int_session_statistics as counted using (user_id, session_id)
        left join int_session_breathing using (user_id, session_id)
    )

select
    user_id,
    session_id,
    state,
    state = 'complete' as is_final,
    started_at,
    ended_at,
    started_local,
    ended_local,
    timezone,
    timezone_source,
    utc_offset_seconds,
    started_at_source,
    ended_local::date as sleep_date,
    date_trunc('week', ended_local)::date as week_start,
    case
        when state = 'in_progress' or list_contains(peculiarities, 'IN_PROGRESS')
        then 'in_progress'
        when list_contains(peculiarities, 'TOO_SHORT_FOR_ANALYSIS')
        then 'too_short_for_analysis'
        when epoch_count is null
        then 'no_stages'
        when time_in_bed_seconds < 300
        then 'too_short_for_analysis'
        when time_in_bed_seconds > 86400
        then 'too_long_for_analysis'
        when
            vendor_validity ilike '%TOO_MANY_DEFECTS%'
            or list_contains(peculiarities, 'TOO_MANY_DEFECTS_IN_SLEEP_STAGES')
            or 2 * unknown_epochs > epoch_count
        then 'too_many_defects'
        when list_contains(peculiarities, 'NEVER_SLEPT') or time_in_sleep_seconds = 0
        then 'never_slept'
        when time_in_bed_seconds is null or time_in_sleep_seconds > time_in_bed_seconds + 30
        then 'implausible_times'
        when upper(trim(vendor_validity)) not in ('VALID', '')
        then 'rejected_by_vendor'
        else 'valid'
    end as validity,
    peculiarities,
    time_in_bed_seconds,
    sleep_period_seconds,
    time_in_sleep_seconds,
    30 * light_epochs as time_in_light_seconds,
    30 * deep_epochs as time_in_deep_seconds,
    30 * rem_epochs as time_in_rem_seconds,
    30 * unknown_epochs as unknown_seconds,
    30 * waso_epochs as waso_seconds,
    waso_runs as waso_count,
    30 * longest_waso_epochs as longest_waso_seconds,
    30 * onset_epoch as sleep_latency_seconds,
    30 * (epoch_count - wake_epoch) as wakeup_latency_seconds,
    30 * (first_light_epoch - onset_epoch) as light_latency_seconds,
    30 * (first_deep_epoch - onset_epoch) as deep_latency_seconds,
    30 * (first_rem_epoch - onset_epoch) as rem_latency_seconds,
    round(100.0 * time_in_sleep_seconds / nullif(time_in_bed_seconds, 0), 4)::double as sleep_efficiency_pct,
    round(100.0 * time_in_sleep_seconds / nullif(sleep_period_seconds, 0), 4)::double
    as sleep_maintenance_pct,
    round(3000.0 * light_epochs / nullif(time_in_sleep_seconds, 0), 4)::double as light_pct,
    round(3000.0 * deep_epochs / nullif(time_in_sleep_seconds, 0), 4)::double as deep_pct,
    round(3000.0 * rem_epochs / nullif(time_in_sleep_seconds, 0), 4)::double as rem_pct,
    sleep_cycle_count,
    30 * snoring_epochs as snoring_seconds,
    30 * unstable_breath_epochs as unstable_breath_seconds,
    round(100.0 * unknown_epochs / epoch_count, 4)::double as unknown_pct,
    missing_data_ratio,
    epoch_count,
    sleep_onset_at,
    wake_at,
    sleep_onset_local,
    wake_local,
    midsleep_local,
    vendor_validity,
    inference_events,
    final_reports,
    duplicate_events,
    first_received_at,
    last_received_at,
    report_received_at,
    final_receipt_id as raw_receipt_id,
    stages_receipt_id
from sessions
