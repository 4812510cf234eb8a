-- severity: block
-- Fewer than five users show no figure; all others show every one.
select cohort_type, cohort, week_start, users
from cohort_metrics
where
    is_small <> (users < 5)
    or (
        is_small
        and coalesce(
            time_in_sleep_seconds_mean,
            time_in_sleep_seconds_median,
            time_in_sleep_seconds_sd,
            time_in_sleep_seconds_night_mean,
            sleep_efficiency_pct_mean,
            sleep_latency_seconds_mean,
            waso_seconds_mean,
            light_pct_mean,
            deep_pct_mean,
            rem_pct_mean
        )
        is not null
    )
    or (
        not is_small
        and (
            time_in_sleep_seconds_sd is null
            or sleep_efficiency_pct_p25 is null
            or sleep_latency_seconds_median is null
            or waso_seconds_p75 is null
            or light_pct_mean is null
            or deep_pct_mean is null
            or rem_pct_night_mean is null
        )
    )
