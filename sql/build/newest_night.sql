-- The last main sleep that ended with a final report: the one worth a picture.
select session_id, sleep_date, started_local, timezone, stages
from sessions
inner join int_session_epochs using (user_id, session_id)
where state = 'complete' and is_main_sleep and validity = 'valid'
order by ended_at desc, user_id, session_id
limit 1
