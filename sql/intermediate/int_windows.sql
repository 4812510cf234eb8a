-- grain: one row per inference window that counts (user_id, session_id, receipt_id)
-- rebuild by: session
-- Where each window lies on the session's grid of 30-s epochs. A given time_window decides; else the window
-- ends with its block; windows that say nothing of their place follow one another in order of arrival.
with
    events as (
        select session_number, revision, started_at, log_id, log_partition, log_offset
        from int_session_events
        inner join touched_sessions using (user_id, session_id)
        inner join int_session_reports using (user_id, session_id)
        where event = 'INFERENCE_COMPLETE' and is_counted
    ),

    windows as (
        select
            events.session_number,
            events.revision,
            events.started_at,
            stg_events.*,
            len(sleep_stages) as values_count
        from stg_events
        inner join events using (log_id, log_partition, log_offset)
        where sleep_stages is not null
    ),

    gridded as (
        select
            *,
            case
                when window_started_at is not null
                then round((epoch(window_ended_at) - epoch(window_started_at)) / 30)::integer
                else values_count
            end as epoch_count,
            case
                when window_started_at is not null
                then 'time_window'
                when inference_seq_num is not null or seq_num is not null
                then 'sequence_number'
                else 'arrival'
            end as placed_by
        from windows
    ),

    placed as (
        select
            *,
            case
                when placed_by = 'time_window'
                then round((epoch(window_started_at) - epoch(started_at)) / 30)::bigint
                when placed_by = 'sequence_number'
                then 10 * (coalesce(inference_seq_num, divide(seq_num, 10)) + 1) - values_count
                else
                    coalesce(
                        sum(values_count) over (
                            partition by session_number, placed_by
                            order by received_at, log_id, log_partition, log_offset
                            rows between unbounded preceding and 1 preceding
                        ),
                        0
                    )
            end::bigint as first_epoch
        from gridded
    ),

    -- Both bounds keep memory bounded whatever is sent. Beyond 7 days from the start a clock or a number is
    -- wrong; a real night reports each epoch two or three times, far below 100,000 in all.
    judged as (
        select
            *,
            case
                when first_epoch <= - epoch_count or first_epoch + epoch_count > 20160
                then 'invalid_time_window'
                when sum(epoch_count) over (partition by session_number order by revision desc) > 100000
                then 'too_many_epochs'
            end as off_grid_reason
        from placed
    )

select
    user_id,
    session_id,
    receipt_id,
    received_at,
    log_id,
    log_partition,
    log_offset,
    revision,
    inference_seq_num,
    values_count,
    epoch_count,
    first_epoch,
    placed_by,
    off_grid_reason,
    off_grid_reason is null as is_on_grid
from judged
