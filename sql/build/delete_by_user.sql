delete from {table} where exists (select 1 from touched_users where touched_users.user_id = {table}.user_id)
