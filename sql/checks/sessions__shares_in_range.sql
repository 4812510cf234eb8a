-- severity: block
-- Shares that the epochs give are between 0 and 100, and those of the stages of sleep add up to 100.
select user_id, session_id
from sessions
where
    not (
        coalesce(light_pct between 0 and 100, true)
        and coalesce(deep_pct between 0 and 100, true)
        and coalesce(rem_pct between 0 and 100, true)
        and coalesce(unknown_pct between 0 and 100, true)
        and coalesce(sleep_maintenance_pct between 0 and 100, true)
        and coalesce(sleep_efficiency_pct >= 0, true)
        and coalesce(abs(light_pct + deep_pct + rem_pct - 100) < 0.001, true)
        and coalesce(snoring_seconds between 0 and 30 * epoch_count, true)
        and coalesce(unstable_breath_seconds between 0 and 30 * epoch_count, true)
    )
