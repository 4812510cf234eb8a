-- severity: block
-- Each figure lies within its definition's bounds.
select user_id, week_start
from weekly_trends
where
    nights not between 0
    and 7
    or coverage_pct not between 0
    and 100
    or sleep_regularity_index not between -100
    and 100
    or (sri_valid_pairs > 0) <> (sleep_regularity_index is not null)
    or sri_valid_pairs < 0
    or social_jetlag_minutes not between 0
    and 720
    or bedtime_sd_minutes < 0
    or midsleep_sd_minutes < 0
    or time_in_sleep_seconds_sd < 0
