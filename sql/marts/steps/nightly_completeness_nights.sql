-- grain: one row per row of int_nights
-- rebuild by: step
-- The nights with the bodies that were set aside and that nothing sent later stands for: those of the main
-- sleep; of a night without a session, those of the user that belong to no session either.
with
    set_aside as (
        select user_id, session_id, first_seen_at
        from quarantined_events
        where not is_partial and resolved_at is null and user_id is not null
    ),

    by_session as (
        select user_id, session_id, count(*) as quarantined_bodies from set_aside group by user_id, session_id
    ),

    homeless as (select * from set_aside anti join sessions using (user_id, session_id)),

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
