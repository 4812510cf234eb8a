-- grain: one row per user_id, sleep_date
-- rebuild by: step
-- The nights of int_nights with the bodies that were set aside and that nothing sent later stands for: those
-- of the main sleep; of a night without a session, those of the user that belong to no session either. A
-- date outside of int_nights of which nothing else came is a night, too.
with
    set_aside as (
        select user_id, session_id, first_seen_at
        from quarantined_events
        -- a copy says nothing of the night on which it came
        semi join (select first_receipt_id as receipt_id from int_set_aside) using (receipt_id)
        where not is_partial and resolved_at is null and user_id is not null
    ),

    by_session as (
        select user_id, session_id, count(*) as quarantined_bodies from set_aside group by user_id, session_id
    ),

    homeless as (
        select set_aside.user_id, set_aside.first_seen_at
        from set_aside
        left join sessions using (user_id, session_id)
        where sessions.user_id is null
    ),

    -- an arrival belongs to the next morning from 18:00 on
    by_date as (
        select nights.user_id, nights.sleep_date, count(*) as quarantined_bodies
        from homeless
        inner join
            int_nights as nights
            on nights.user_id = homeless.user_id
            and nights.sleep_date
            = (timezone('UTC', first_seen_at) + to_seconds(utc_offset_seconds + 21600))::date
        where nights.session_id is null
        group by nights.user_id, nights.sleep_date
    ),

    spans as (
        select
            user_id,
            min(sleep_date) as first_date,
            max(sleep_date) as last_date,
            arg_max(utc_offset_seconds, sleep_date) as utc_offset_seconds
        from int_nights
        group by user_id
    ),

    dated as (
        select
            homeless.user_id,
            (timezone('UTC', first_seen_at) + to_seconds(coalesce(utc_offset_seconds, 0) + 21600))::date
            as sleep_date,
            first_date,
            last_date
        from homeless
        left join spans using (user_id)
    ),

    outside as (
        select user_id, sleep_date, count(*) as quarantined_bodies
        from dated
        where first_date is null or sleep_date not between first_date and last_date
        group by user_id, sleep_date
    )

select
    nights.user_id,
    nights.sleep_date,
    nights.session_id,
    nights.sessions,
    nights.next_started_at,
    coalesce(by_session.quarantined_bodies, by_date.quarantined_bodies, 0) as quarantined_bodies
from int_nights as nights
left join by_session using (user_id, session_id)
left join by_date on by_date.user_id = nights.user_id and by_date.sleep_date = nights.sleep_date
union all
select user_id, sleep_date, null, 0, null, quarantined_bodies
from outside
