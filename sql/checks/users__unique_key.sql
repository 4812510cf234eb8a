-- severity: block
-- A user is one row.
select user_id, count(*) as copies from users group by user_id having count(*) > 1
