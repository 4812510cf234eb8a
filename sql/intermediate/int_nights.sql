-- grain: one row per user_id, sleep_date, from the first to the last night seen of each user
-- rebuild by: user
-- The calendar of each user's nights, those without any session among them, each with its main sleep. A
-- stretch of more than 400 days without a session is left out: a wrong clock makes it, or a user who left.
with
    sessions as (
        select
            int_sessions.user_id,
            int_sessions.session_id,
            int_sessions.sleep_date,
            date_diff('second', timezone('UTC', started_at), started_local) as utc_offset_seconds,
            lead(started_at) over (
                partition by int_sessions.user_id order by started_at, int_sessions.session_id
            ) as next_started_at
        from int_sessions
        inner join touched_users using (user_id)
        where int_sessions.sleep_date is not null
    ),

    counted as (
        select user_id, sleep_date, count(*)::integer as sessions from sessions group by user_id, sleep_date
    ),

    seen as (
        select
            user_id, sleep_date, session_id, counted.sessions, main.utc_offset_seconds, main.next_started_at
        from int_main_sleeps
        inner join sessions as main using (user_id, sleep_date, session_id)
        inner join counted using (user_id, sleep_date)
    ),

    followed as (
        select
            *, lead(sleep_date) over (partition by user_id order by sleep_date) - sleep_date as days_to_next
        from seen
    ),

    calendar as (
        select
            *,
            unnest(range(case when days_to_next between 1 and 400 then days_to_next else 1 end)) as days_after
        from followed
    )

select
    user_id,
    (sleep_date + days_after::integer)::date as sleep_date,
    case when days_after = 0 then session_id end as session_id,
    case when days_after = 0 then sessions else 0 end as sessions,
    case when days_after = 0 then next_started_at end as next_started_at,
    -- seconds east of UTC in the night itself or the one seen before it
    utc_offset_seconds::integer as utc_offset_seconds
from calendar
