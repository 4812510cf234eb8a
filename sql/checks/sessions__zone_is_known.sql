-- severity: warn
-- The session's zone is known, not assumed to be UTC.
select user_id, session_id from sessions where timezone_source = 'default'
