-- grain: one row per user_id, session_id that has inference windows
-- rebuild by: session
-- What the windows of a session tell of its start and its zone; a final report knows better where it says so.
with
    details as (
        select touched_sessions.session_number, events.revision, stg_events.*
        from stg_events
        inner join int_session_events as events using (log_id, log_partition, log_offset)
        inner join
            touched_sessions
            on touched_sessions.user_id = events.user_id
            and touched_sessions.session_id = events.session_id
        where events.is_counted and events.event = 'INFERENCE_COMPLETE'
    ),

    -- a window names its block k, and block k ends 5 (k + 1) minutes after the session's start
    window_starts as (
        select
            session_number,
            received_at,
            log_id,
            log_partition,
            log_offset,
            utc_offset,
            session_started_at,
            case
                when window_ended_at is not null and inference_seq_num is not null
                then window_ended_at - to_seconds(300 * (inference_seq_num + 1))
            end as started_by_block,
            window_started_at,
            quantile_disc(window_started_at, 0.5) over (partition by session_number) as middle_window,
            revision,
            created_timezone,
            timezone,
            case
                when inference_seq_num is not null or seq_num is not null
                then
                    coalesce(event_at, received_at)
                    - to_seconds(300 * (coalesce(inference_seq_num, divide(seq_num, 10)) + 1))
            end as started_by_arrival,
            received_at - to_seconds(30 * coalesce(len(sleep_stages), 0)) as started_by_length
        from details
    ),

    guessed as (
        select
            session_number,
            min(session_started_at) as reported_start,
            quantile_disc(started_by_block, 0.5) as started_by_block,
            -- one wrong clock must not move the whole night
            min(window_started_at) filter (
                abs(epoch(window_started_at) - epoch(middle_window)) < 604800
            ) as first_window_started_at,
            arg_max(created_timezone, revision) as created_timezone,
            arg_max(timezone, revision) as timezone,
            quantile_disc(started_by_arrival, 0.5) as started_by_arrival,
            min(started_by_length) as started_by_length,
            arg_min(utc_offset, (received_at, log_id, log_partition, log_offset)) as utc_offset
        from window_starts
        group by session_number
    )

select touched_sessions.user_id, touched_sessions.session_id, guessed.* exclude (session_number)
from guessed
inner join touched_sessions using (session_number)
