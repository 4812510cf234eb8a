-- grain: one row per user_id, session_id that has a final report
-- rebuild by: session
-- What the final reports of a session say: the newest wins; what it leaves out of times, zone and stages, an
-- older one has not said in vain.
with
    reports as (
        select touched_sessions.session_number, events.revision, stg_events.*
        from stg_events
        inner join int_session_events as events using (log_id, log_partition, log_offset)
        inner join
            touched_sessions
            on touched_sessions.user_id = events.user_id
            and touched_sessions.session_id = events.session_id
        where events.is_counted and events.event = 'SESSION_COMPLETE'
    )

select
    any_value(user_id) as user_id,
    any_value(session_id) as session_id,
    arg_max(receipt_id, revision) as final_receipt_id,
    arg_max_null(vendor_validity, revision) as vendor_validity,
    arg_max_null(peculiarities, revision) as peculiarities,
    arg_max_null(missing_data_ratio, revision) as missing_data_ratio,
    arg_max_null(vendor_stat, revision) as vendor_stat,
    arg_max(receipt_id, revision) filter (sleep_stages is not null) as stages_receipt_id,
    arg_max(session_started_at, revision) as session_started_at,
    arg_max(utc_offset, revision) filter (session_started_at is not null) as utc_offset,
    arg_max(session_ended_at, revision) as session_ended_at,
    arg_max(len(sleep_stages), revision) as stage_count,
    arg_max(created_timezone, revision) as created_timezone,
    arg_max(timezone, revision) as timezone
from reports
group by session_number
