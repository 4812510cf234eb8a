-- severity: warn
-- Everyone who has a session is in the users file, where there is one.
select user_id from users where not is_known and (select count(*) from stg_users) > 0
