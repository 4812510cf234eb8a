-- grain: one row per event of a session (user_id, session_id, receipt_id)
-- rebuild by: session
-- Which events of a session count, in which order. A record that the log holds twice (same receipt) is here
-- once; a second copy of an event is marked, and stands at the place of its first arrival.
with
    events as (
        select stg_events.*, touched_sessions.session_number
        from stg_events
        inner join touched_sessions using (user_id, session_id)
        where reject_reason is null
    ),

    appended_once as (
        select *
        from events
        qualify
            row_number() over (
                partition by session_number, receipt_id
                order by received_at, log_id, log_partition, log_offset
            )
            = 1
    ),

    matched as (
        select
            *,
            first_value(receipt_id) over same_body as first_receipt_of_body,
            first_value(receipt_id) over same_moment as first_receipt_of_moment
        from appended_once
        window
            same_body as (
                partition by session_number, event, body_hash, body_bytes
                order by received_at, log_id, log_partition, log_offset
            ),
            same_moment as (
                partition by session_number, event, event_at
                order by received_at, log_id, log_partition, log_offset
            )
    ),

    marked as (
        select
            * exclude (first_receipt_of_body, first_receipt_of_moment),
            case
                when first_receipt_of_body <> receipt_id
                then first_receipt_of_body
                when event_at is not null and first_receipt_of_moment <> receipt_id
                then first_receipt_of_moment
            end as duplicate_of_receipt_id
        from matched
    )

select
    user_id,
    session_id,
    receipt_id,
    received_at,
    log_id,
    log_partition,
    log_offset,
    event,
    duplicate_of_receipt_id,
    duplicate_of_receipt_id is not null as is_duplicate,
    -- the later event of a session wins: by its own timestamp where it has one, else by seq_num, else by
    -- arrival
    row_number() over (
        partition by session_number, event, duplicate_of_receipt_id is null
        order by event_at nulls first, seq_num nulls first, received_at, log_id, log_partition, log_offset
    )::integer as revision
from marked
