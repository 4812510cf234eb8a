-- A user's week is touched by a touched session that is or was in it, and by one in the three weeks before,
-- which its trends look back on. A session of no date is in the week null.
create or replace temp table changed_weeks as
select user_id, week_start
from old_weeks
union
select user_id, week_start
from int_sessions
semi join all_touched_sessions using (user_id, session_id);

create or replace temp table all_touched_weeks as
with
    looking_back as (
        select changed_weeks.user_id, changed_weeks.week_start + 7 * weeks_later::integer as week_start
        from changed_weeks
        cross join range(1, 4) as later(weeks_later)
        where changed_weeks.week_start is not null
    ),

    touched as (
        select *
        from changed_weeks
        union
        select *
        from looking_back
        semi join int_user_weeks using (user_id, week_start)
    )

select user_id, week_start, row_number() over (order by user_id, week_start) - 1 as week_number
from touched
