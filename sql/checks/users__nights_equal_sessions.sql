-- severity: block
-- Sessions and nights of a user are those in sessions.
with
    found as (
        select
            user_id,
            count(*) as sessions,
            count(*) filter (is_main_sleep and validity = 'valid') as valid_nights,
            min(sleep_date) filter (is_main_sleep and validity = 'valid') as first_night,
            max(sleep_date) filter (is_main_sleep and validity = 'valid') as last_night
        from sessions
        group by user_id
    )

select user_id
from users
full join found using (user_id)
where
    users.sessions is distinct from coalesce(found.sessions, 0)
    or users.valid_nights is distinct from coalesce(found.valid_nights, 0)
    or users.first_night is distinct from found.first_night
    or users.last_night is distinct from found.last_night
