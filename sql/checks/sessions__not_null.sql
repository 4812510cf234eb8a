-- severity: block
-- Key, state and validity are always there.
select *
from sessions
where
    user_id is null
    or session_id is null
    or state is null
    or validity is null
    or is_main_sleep is null
    or first_received_at is null
