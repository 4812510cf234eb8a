-- severity: block
-- Nights are the valid main sleeps in sessions.
with
    nights as (
        select user_id, week_start, count(*) filter (is_main_sleep and validity = 'valid') as nights
        from sessions
        where week_start is not null
        group by user_id, week_start
    )

select user_id, week_start
from weekly_trends
full join nights using (user_id, week_start)
where weekly_trends.nights is distinct from nights.nights or weekly_trends.nights > 7
