-- severity: block
-- A valid main sleep has every statistic, so a week with nights has every mean; a week without has none.
select user_id, week_start, nights
from weekly_trends
where
    (nights > 0) <> (time_in_sleep_seconds_mean is not null)
    or (nights > 0) <> (time_in_sleep_seconds_median is not null)
    or (nights > 1) <> (time_in_sleep_seconds_sd is not null)
    or (nights > 0) <> (sleep_efficiency_pct_mean is not null)
    or (nights > 0) <> (sleep_latency_seconds_mean is not null)
    or (nights > 0) <> (waso_seconds_mean is not null)
    or (nights > 0) <> (time_in_light_seconds_mean is not null)
    or (nights > 0) <> (time_in_deep_seconds_mean is not null)
    or (nights > 0) <> (time_in_rem_seconds_mean is not null)
    or (nights > 0) <> (light_pct_mean is not null)
    or (nights > 0) <> (deep_pct_mean is not null)
    or (nights > 0) <> (rem_pct_mean is not null)
