-- grain: one row per user_id with a session
-- rebuild by: user
-- All weeks of a user summed up.
select
    user_id,
    sum(sessions)::bigint as sessions,
    sum(nights)::bigint as nights,
    min(first_night) as first_night,
    max(last_night) as last_night,
    sum(time_in_sleep_seconds_sum)::bigint as time_in_sleep_seconds_sum,
    sum(sleep_efficiency_pct_sum) as sleep_efficiency_pct_sum,
    sum(sleep_latency_seconds_sum)::bigint as sleep_latency_seconds_sum,
    sum(waso_seconds_sum)::bigint as waso_seconds_sum,
    sum(light_pct_sum) as light_pct_sum,
    sum(deep_pct_sum) as deep_pct_sum,
    sum(rem_pct_sum) as rem_pct_sum
from int_user_weeks
inner join touched_users using (user_id)
group by user_id
