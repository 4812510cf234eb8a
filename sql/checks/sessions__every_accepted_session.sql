-- severity: block
-- Every session with an event that counts has its row, and no other has.
with staged as (select distinct user_id, session_id from stg_events where reject_reason is null)

select
    coalesce(staged.user_id, sessions.user_id) as user_id,
    coalesce(staged.session_id, sessions.session_id) as session_id
from staged
full join sessions using (user_id, session_id)
where staged.user_id is null or sessions.user_id is null
