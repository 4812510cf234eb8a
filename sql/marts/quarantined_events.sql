-- grain: one row per receipt_id
-- rebuild by: all
-- Accepted bodies that could not become a row, or lost a part on the way: which, why, and what was sent.
-- columns:
-- receipt_id: the receipt given in the webhook's answer
-- reason: why, in one word; the same words as in answers and logs
-- field: the field of the body that is to blame
-- is_partial: whether the rest of the body was kept and is in the tables
-- first_seen_at: instant (UTC) at which it arrived
-- user_id: whose it is, as far as it tells
-- session_id: of which session, as far as it tells
-- event: the event it claims to be
-- dialect: the shape of its envelope: flat, partial, nested, v1, v2
-- body: the body as it came; null where only its place on the night's grid is to blame
-- raw_file: the landed file that holds it, below the raw folder
-- log_id: the log that holds it
-- log_partition: its partition there
-- log_offset: its offset there
with
    flagged as (
        select
            *,
            coalesce(reject_reason, ignored_reason) as reason,
            coalesce(reject_field, ignored_field) as field,
            reject_reason is null as is_partial
        from stg_events
        where reject_reason is not null or ignored_reason is not null
    ),

    off_grid as (
        select
            stg_events.*,
            windows.off_grid_reason as reason,
            case
                when windows.off_grid_reason = 'too_many_epochs' then 'sleep_stages' else 'time_window'
            end as field,
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
    is_partial,
    received_at as first_seen_at,
    user_id,
    session_id,
    event,
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
