-- grain: one row per user_id, session_id of a touched week
-- rebuild by: step
-- The sessions whose rows are computed anew, as their epochs tell them.
select int_sessions.*
from int_sessions
inner join
    touched_weeks
    on touched_weeks.user_id = int_sessions.user_id
    and touched_weeks.week_start is not distinct from int_sessions.week_start
