delete from {table}
where
    exists (
        select 1
        from touched_sessions
        where touched_sessions.user_id = {table}.user_id and touched_sessions.session_id = {table}.session_id
    )
