-- grain: one row per user_id, session_id
-- rebuild by: session
-- What is known of a session besides its stages: when it started, in which zone, what its final report said.
-- The newest final report wins; where none says a thing, the inference windows tell what they can.
with
    events as (
        select int_session_events.*, touched_sessions.session_number
        from int_session_events
        inner join touched_sessions using (user_id, session_id)
    ),

    counted as (
        select
            session_number,
            any_value(user_id) as user_id,
            any_value(session_id) as session_id,
            count(*) filter (event = 'INFERENCE_COMPLETE' and is_counted) as inference_events,
            count(*) filter (event = 'SESSION_COMPLETE' and is_counted) as final_reports,
            count(*) filter (is_duplicate) as duplicate_events,
            min(received_at) as first_received_at,
            max(received_at) filter (is_counted) as last_received_at,
            min(received_at) filter (event = 'SESSION_COMPLETE') as report_received_at
        from events
        group by session_number
    ),

    resolved as (
        select
            counted.*,
            finals.final_receipt_id,
            finals.vendor_validity,
            coalesce(finals.peculiarities, []) as peculiarities,
            finals.missing_data_ratio,
            finals.stages_receipt_id,
            finals.session_ended_at as reported_end,
            coalesce(
                finals.session_started_at,
                guessed.reported_start,
                guessed.started_by_block,
                guessed.first_window_started_at,
                finals.session_ended_at - to_seconds(30 * finals.stage_count),
                guessed.started_by_arrival,
                guessed.started_by_length
            ) as started_at,
            case
                when finals.session_started_at is not null
                then 'session_complete'
                when guessed.reported_start is not null
                then 'inference'
                when coalesce(guessed.started_by_block, guessed.first_window_started_at) is not null
                then 'time_window'
                when finals.session_ended_at is not null and finals.stage_count is not null
                then 'session_end'
                when guessed.started_by_arrival is not null
                then 'sequence_number'
                when guessed.started_by_length is not null
                then 'arrival'
            end as started_at_source,
            coalesce(
                finals.created_timezone,
                guessed.created_timezone,
                finals.timezone,
                guessed.timezone,
                finals.utc_offset,
                guessed.utc_offset,
                'UTC'
            ) as timezone,
            case
                when coalesce(finals.created_timezone, guessed.created_timezone) is not null
                then 'created_timezone'
                when coalesce(finals.timezone, guessed.timezone) is not null
                then 'timezone'
                when coalesce(finals.utc_offset, guessed.utc_offset) is not null
                then 'offset'
                else 'default'
            end as timezone_source
        from counted
        left join int_session_finals as finals using (user_id, session_id)
        left join int_session_guesses as guessed using (user_id, session_id)
    )

select
    user_id,
    session_id,
    started_at,
    started_at_source,
    reported_end,
    timezone,
    timezone_source,
    -- a fixed offset has no zone name: its seconds east of UTC, null where a name rules
    case
        when timezone_source <> 'offset'
        then null
        else
            (case when timezone[1] = '-' then -1 else 1 end)
            * (timezone[2:3]::integer * 3600 + timezone[-2:]::integer * 60)
    end as utc_offset_seconds,
    stages_receipt_id,
    final_receipt_id,
    vendor_validity,
    peculiarities,
    missing_data_ratio,
    inference_events,
    final_reports,
    duplicate_events,
    first_received_at,
    last_received_at,
    report_received_at
from resolved
