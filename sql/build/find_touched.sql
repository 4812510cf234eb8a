-- A session is touched by a new event, or by time alone: when its silence grows past the limit, or the
-- limit moves.
create or replace temp table all_touched_sessions as
with
    by_events as (
        select distinct user_id, session_id
        from stg_events
        semi join new_files using (raw_file)
        where reject_reason is null
    ),

    by_silence as (
        select user_id, session_id
        from int_sessions
        where
            state <> 'complete'
            and (state = 'abandoned')
            <> (epoch(last_received_at) <= epoch($as_of::timestamptz) - $abandoned_after_seconds::double)
    ),

    touched as (
        select *
        from by_events
        union
        select *
        from by_silence
    )

select user_id, session_id, row_number() over (order by user_id, session_id) - 1 as session_number
from touched
