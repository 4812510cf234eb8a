-- grain: one row per receipt_id
-- rebuild by: all
-- Accepted bodies with a fault: those that could not become a row, those that lost a part on the way, and
-- windows that lie outside of any possible night.
with
    flagged as (
        select
            stg_events.* exclude (sleep_stages, snoring_stages, breath_stages),
            coalesce(reject_reason, ignored_reason) as reason,
            coalesce(reject_field, ignored_field) as field,
            case when reject_reason is null then ignored_fields end as lost_fields,
            reject_reason is null as is_partial
        from stg_events
        where reject_reason is not null or ignored_reason is not null
    ),

    off_grid as (
        select
            stg_events.* exclude (sleep_stages, snoring_stages, breath_stages),
            windows.off_grid_reason as reason,
            case
                when windows.off_grid_reason = 'too_many_epochs' then 'sleep_stages' else 'time_window'
            end as field,
            [field] as lost_fields,
            true as is_partial
        from stg_events
        inner join int_windows as windows using (log_id, log_partition, log_offset)
        where not windows.is_on_grid
    ),

    everything as (
        select *
        from flagged
        union all
        select *
        from off_grid
    )

select
    receipt_id,
    reason,
    field,
    lost_fields,
    is_partial,
    received_at,
    user_id,
    session_id,
    event,
    inference_seq_num,
    dialect,
    body,
    raw_file,
    log_id,
    log_partition,
    log_offset
from everything
qualify
    row_number() over (
        partition by receipt_id order by is_partial, reason, received_at, log_id, log_partition, log_offset
    )
    = 1
