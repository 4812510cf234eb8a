-- grain: one row per user_id
-- rebuild by: all
-- Everyone in the users file, and everyone who has a session.
-- columns:
-- user_id: the customer's user
-- birth_year: year of birth, from the users file
-- gender: lower case, from the users file
-- timezone: home zone as the users file says; sessions carry their own
-- signup_date: date of signing up, from the users file
-- attributes: the user's line of the users file, every column that has a value, JSON
-- is_known: whether the users file has this user
-- sessions: sessions seen, of any state
-- valid_nights: main sleeps that are valid
-- first_night: sleep_date of the first valid main sleep
-- last_night: sleep_date of the last valid main sleep
select
    user_id,
    stg_users.birth_year,
    stg_users.gender,
    stg_users.timezone,
    stg_users.signup_date,
    stg_users.attributes,
    stg_users.user_id is not null as is_known,
    coalesce(totals.sessions, 0) as sessions,
    coalesce(totals.nights, 0) as valid_nights,
    totals.first_night,
    totals.last_night
from stg_users
full join int_user_totals as totals using (user_id)
