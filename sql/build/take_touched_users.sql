create or replace temp table touched_users as
select distinct user_id from all_touched_sessions
