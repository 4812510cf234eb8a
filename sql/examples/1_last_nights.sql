-- The last nights of a few users
select
    user_id[:8] as user,
    sleep_date,
    strftime(started_local, '%H:%M') as bedtime,
    strftime(wake_local, '%H:%M') as wake,
    timezone,
    round(time_in_sleep_seconds / 3600, 1) as hours_asleep,
    round(sleep_efficiency_pct, 1) as efficiency_pct,
    divide(sleep_latency_seconds, 60) as latency_min,
    divide(waso_seconds, 60) as waso_min,
    sleep_cycle_count as cycles
from sessions
where is_main_sleep and validity = 'valid'
order by sleep_date desc, user_id
limit 6
