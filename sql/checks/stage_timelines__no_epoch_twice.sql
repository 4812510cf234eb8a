-- severity: block
-- A session has one timeline, and so each of its epochs is there once.
select user_id, session_id, count(*) as copies
from int_session_epochs
group by user_id, session_id
having count(*) > 1
