-- Weeks of the users with most nights
select
    user_id[:8] as user,
    week_start,
    nights,
    naps,
    round(time_in_sleep_seconds_mean / 3600, 2) as hours_asleep_mean,
    round(sleep_efficiency_pct_mean, 1) as efficiency_pct_mean,
    bedtime_local_mean::varchar as bedtime_mean,
    midsleep_local_mean::varchar as midsleep_mean,
    round(bedtime_sd_minutes) as bedtime_sd_min
from weekly_trends
order by nights desc, user_id, week_start
limit 6
