-- severity: block
-- Every epoch is sleep, wake or unknown, and the parts of the night lie inside each other: WASO is at most
-- SPT - TST, and before, inside and after the sleep period there is the whole session.
select user_id, session_id
from sessions
where
    30 * epoch_count
    <> coalesce(sleep_latency_seconds + sleep_period_seconds + wakeup_latency_seconds, 30 * epoch_count)
    or time_in_sleep_seconds <> time_in_light_seconds + time_in_deep_seconds + time_in_rem_seconds
    or time_in_sleep_seconds + unknown_seconds > 30 * epoch_count
    or waso_seconds > coalesce(sleep_period_seconds - time_in_sleep_seconds, 0)
    or longest_waso_seconds > waso_seconds
    or (waso_count = 0) <> (waso_seconds = 0)
    or (time_in_sleep_seconds > 0) <> (sleep_period_seconds is not null)
    or ended_at < started_at
