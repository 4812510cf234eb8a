-- One night as a hypnogram, one sign per 5 minutes
with
    night as (
        select user_id, session_id, sleep_date
        from sessions
        where is_main_sleep and validity = 'valid' and is_final
        order by sleep_date desc, user_id
        limit 1
    ),

    epochs as (
        select stage_timelines.*, sleep_date from stage_timelines inner join night using (user_id, session_id)
    ),

    blocks as (
        select sleep_date, divide(epoch_index, 10) as block, mode(stage order by epoch_index) as stage
        from epochs
        group by sleep_date, block
    )

select
    sleep_date,
    ['wake', 'rem', 'light', 'deep'][level] as stage,
    string_agg(case when [0, 3, 1, 2][level] = stage then '█' else ' ' end, '' order by block) as night
from blocks
cross join range(1, 5) as levels(level)
group by sleep_date, level
order by level
