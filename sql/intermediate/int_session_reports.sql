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

    details as (
        select events.session_number, events.revision, stg_events.*
        from stg_events
        inner join events using (log_id, log_partition, log_offset)
        where events.is_counted
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
            max(received_at) filter (is_counted) as last_received_at
        from events
        group by session_number
    ),

    -- what the newest report leaves out of times, zone and stages, an older one has not said in vain
    finals as (
        select
            session_number,
            arg_max(receipt_id, revision) as receipt_id,
            arg_max_null(event_at, revision) as event_at,
            arg_max_null(session_state, revision) as session_state,
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
        from details
        where event = 'SESSION_COMPLETE'
        group by session_number
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
        where event = 'INFERENCE_COMPLETE'
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
    ),

    resolved as (
        select
            counted.*,
            finals.receipt_id as final_receipt_id,
            finals.event_at as final_event_at,
            finals.session_state,
            finals.vendor_validity,
            coalesce(finals.peculiarities, []) as peculiarities,
            finals.missing_data_ratio,
            finals.vendor_stat,
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
        left join finals using (session_number)
        left join guessed using (session_number)
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
    final_event_at,
    session_state,
    vendor_validity,
    peculiarities,
    missing_data_ratio,
    vendor_stat,
    inference_events,
    final_reports,
    duplicate_events,
    first_received_at,
    last_received_at
from resolved
