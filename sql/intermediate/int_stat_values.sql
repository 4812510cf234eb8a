-- grain: one row per user_id, session_id, metric that the vendor gave a value for
-- rebuild by: view
-- The vendor's value of each statistic, and ours by the vendor's definition in the same unit.
with
    sessions as (
        select
            s.*,
            vendor.* exclude (user_id, session_id),
            breathing.* exclude (user_id, session_id, snoring_epochs, unstable_breath_epochs),
            onset_epoch,
            last_cycle_epoch,
            epoch(started_at) as start,
            time_in_sleep_seconds + waso_seconds as period,
            -- without any sleep every share is 0
            greatest(time_in_sleep_seconds + waso_seconds, 1) as whole,
            coalesce(sleep_latency_seconds, 30 * s.epoch_count) as latency,
            coalesce(wakeup_latency_seconds, 0) as wakeup,
            snoring_known_epochs - snoring_period_epochs as quiet_epochs,
            breath_known_epochs - unstable_breath_period_epochs as stable_epochs
        from int_vendor_statistics as vendor
        inner join int_sessions as s using (user_id, session_id)
        left join int_session_statistics using (user_id, session_id)
        left join int_session_breathing as breathing using (user_id, session_id)
    ),

    listed as (
        select
            user_id,
            session_id,
            sleep_date,
            stages_receipt_id,
            time_in_bed_seconds is not null as has_span,
            epoch_count is not null as has_stages,
            snoring_known_epochs is not null as has_snoring,
            breath_known_epochs is not null as has_breath,
            unnest(
                [
                    ('time_in_bed', vendor_time_in_bed_seconds::double, time_in_bed_seconds::double),
                    ('time_in_sleep_period', vendor_sleep_period_seconds, period),
                    ('time_in_sleep', vendor_time_in_sleep_seconds, time_in_sleep_seconds),
                    ('time_in_wake', vendor_time_in_wake_seconds, waso_seconds),
                    ('time_in_light', vendor_time_in_light_seconds, time_in_light_seconds),
                    ('time_in_deep', vendor_time_in_deep_seconds, time_in_deep_seconds),
                    ('time_in_rem', vendor_time_in_rem_seconds, time_in_rem_seconds),
                    ('sleep_latency', vendor_sleep_latency_seconds, latency),
                    ('wakeup_latency', vendor_wakeup_latency_seconds, wakeup),
                    ('light_latency', vendor_light_latency_seconds, light_latency_seconds),
                    ('deep_latency', vendor_deep_latency_seconds, deep_latency_seconds),
                    ('rem_latency', vendor_rem_latency_seconds, rem_latency_seconds),
                    ('sleep_time', epoch(vendor_sleep_onset_at) - start, latency),
                    ('sleep_time_duration', vendor_sleep_time_seconds, time_in_sleep_seconds),
                    ('wake_time', epoch(vendor_wake_at) - start, time_in_bed_seconds - wakeup),
                    ('sleep_efficiency', vendor_sleep_efficiency_pct, sleep_efficiency_pct),
                    ('sleep_ratio', vendor_sleep_ratio_pct, 100 * time_in_sleep_seconds / whole),
                    ('wake_ratio', vendor_wake_ratio_pct, 100 * waso_seconds / whole),
                    ('light_ratio', vendor_light_ratio_pct, 100 * time_in_light_seconds / whole),
                    ('deep_ratio', vendor_deep_ratio_pct, 100 * time_in_deep_seconds / whole),
                    ('rem_ratio', vendor_rem_ratio_pct, 100 * time_in_rem_seconds / whole),
                    ('waso_count', vendor_waso_count, waso_count),
                    ('longest_waso', vendor_longest_waso_seconds, longest_waso_seconds),
                    ('sleep_cycle_count', vendor_sleep_cycle_count, sleep_cycle_count),
                    (
                        'sleep_cycle',
                        vendor_sleep_cycle_mean_seconds,
                        30 * (last_cycle_epoch - onset_epoch) / nullif(sleep_cycle_count, 0)
                    ),
                    ('sleep_cycle_time', epoch(vendor_last_cycle_at) - start, 30 * last_cycle_epoch),
                    ('time_in_snoring', vendor_snoring_seconds, 30 * snoring_period_epochs),
                    ('time_in_no_snoring', vendor_no_snoring_seconds, 30 * quiet_epochs),
                    (
                        'snoring_ratio',
                        vendor_snoring_ratio_pct,
                        100 * snoring_period_epochs / snoring_known_epochs
                    ),
                    (
                        'no_snoring_ratio',
                        vendor_no_snoring_ratio_pct,
                        100 * quiet_epochs / snoring_known_epochs
                    ),
                    ('snoring_count', vendor_snoring_count, snoring_runs),
                    (
                        'time_in_unstable_breath',
                        vendor_unstable_breath_seconds,
                        30 * unstable_breath_period_epochs
                    ),
                    ('time_in_stable_breath', vendor_stable_breath_seconds, 30 * stable_epochs),
                    (
                        'unstable_breath_ratio',
                        vendor_unstable_breath_ratio_pct,
                        100 * unstable_breath_period_epochs / breath_known_epochs
                    ),
                    (
                        'stable_breath_ratio',
                        vendor_stable_breath_ratio_pct,
                        100 * stable_epochs / breath_known_epochs
                    ),
                    ('unstable_breath_count', vendor_unstable_breath_count, unstable_breath_runs)
                ]
            ) as told
        from sessions
    )

select
    user_id,
    session_id,
    sleep_date,
    stages_receipt_id,
    has_span,
    has_stages,
    has_snoring,
    has_breath,
    struct_extract(told, 1) as metric,
    round(struct_extract(told, 2), 4) as vendor_value,
    round(struct_extract(told, 3), 4) as our_value
from listed
where struct_extract(told, 2) is not null
