-- grain: one row per user_id, week_start with a valid main sleep
-- rebuild by: week
-- Times of day of a user's week: circular means, circular deviations and social jetlag. A night on which the
-- user wakes on a Saturday or Sunday is a free one.
with
    nights as (
        select
            user_id,
            week_start,
            day_angle(started_local) as bedtime,
            day_angle(sleep_onset_local) as sleep_onset,
            day_angle(wake_local) as wake_time,
            day_angle(midsleep_local) as midsleep,
            isodow(sleep_date) >= 6 as is_free
        from int_sessions
        inner join touched_weeks using (user_id, week_start)
        semi join int_main_sleeps using (user_id, session_id, week_start)
        where validity = 'valid'
    ),

    -- sums of fractions depend on their order: one order gives one result in every build
    directions as (
        select
            user_id,
            week_start,
            count(*) as nights,
            avg(sin(bedtime) order by bedtime) as bedtime_sin,
            avg(cos(bedtime) order by bedtime) as bedtime_cos,
            avg(sin(sleep_onset) order by sleep_onset) as sleep_onset_sin,
            avg(cos(sleep_onset) order by sleep_onset) as sleep_onset_cos,
            avg(sin(wake_time) order by wake_time) as wake_time_sin,
            avg(cos(wake_time) order by wake_time) as wake_time_cos,
            avg(sin(midsleep) order by midsleep) as midsleep_sin,
            avg(cos(midsleep) order by midsleep) as midsleep_cos,
            avg(sin(midsleep) order by midsleep) filter (is_free) as free_sin,
            avg(cos(midsleep) order by midsleep) filter (is_free) as free_cos,
            avg(sin(midsleep) order by midsleep) filter (not is_free) as work_sin,
            avg(cos(midsleep) order by midsleep) filter (not is_free) as work_cos
        from nights
        group by user_id, week_start
    )

select
    user_id,
    week_start,
    circular_mean(bedtime_sin, bedtime_cos) as bedtime_local_mean,
    circular_mean(sleep_onset_sin, sleep_onset_cos) as sleep_onset_local_mean,
    circular_mean(wake_time_sin, wake_time_cos) as wake_time_local_mean,
    circular_mean(midsleep_sin, midsleep_cos) as midsleep_local_mean,
    case when nights > 1 then circular_sd_minutes(bedtime_sin, bedtime_cos) end as bedtime_sd_minutes,
    case when nights > 1 then circular_sd_minutes(midsleep_sin, midsleep_cos) end as midsleep_sd_minutes,
    circular_distance_minutes(free_sin, free_cos, work_sin, work_cos) as social_jetlag_minutes
from directions
