-- severity: block
-- A session is one row.
select user_id, session_id, count(*) as copies from sessions group by user_id, session_id having count(*) > 1
