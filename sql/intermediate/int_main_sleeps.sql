-- grain: one row per user_id, sleep_date
-- rebuild by: week
-- Of a user's sessions that end on one date the one with most sleep; ties go to the longest in bed, then
-- to the earliest. All others are naps.
select int_sessions.user_id, int_sessions.session_id, int_sessions.sleep_date, int_sessions.week_start
from int_sessions
inner join touched_weeks using (user_id, week_start)
qualify
    row_number() over (
        partition by int_sessions.user_id, int_sessions.sleep_date
        order by
            int_sessions.time_in_sleep_seconds desc nulls last,
            int_sessions.time_in_bed_seconds desc nulls last,
            int_sessions.started_at,
            int_sessions.session_id
    )
    = 1
