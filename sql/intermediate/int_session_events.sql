-- grain: one row per event of a session (user_id, session_id, receipt_id)
-- rebuild by: session
-- Which events of a session are duplicates, which count, and in which order. A record that the log holds
-- twice (same receipt) is here once. A duplicate has the event name and the body, or the event name and the
-- timestamp, of another event of its session; it names the first of these to arrive, never another
-- duplicate. A copy does not count: its event stands where it first arrived. A duplicate that says something
-- else does count: of one moment there may be windows of 5 and of 40 minutes, or a report and its correction.
with
    events as (
        select
            touched_sessions.session_number,
            stg_events.user_id,
            stg_events.session_id,
            stg_events.receipt_id,
            stg_events.received_at,
            stg_events.log_id,
            stg_events.log_partition,
            stg_events.log_offset,
            stg_events.event,
            stg_events.event_at,
            stg_events.seq_num,
            stg_events.body_hash,
            case when stg_events.body_hash is not null then stg_events.body_bytes end as body_bytes
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
            *, first_value(receipt_id) over same_event as first_receipt_id, count(*) over same_event as copies
        from appended_once
        window
            same_event as (
                partition by session_number, event, event_at, body_hash, body_bytes
                order by received_at, log_id, log_partition, log_offset
                rows between unbounded preceding and unbounded following
            )
    ),

    -- of one moment: everything that tables take from an event must be equal, or it is said for the first
    -- time
    told_first as (
        select
            stg_events.* exclude (
                receipt_id,
                received_at,
                log_id,
                log_partition,
                log_offset,
                raw_file,
                dialect,
                version,
                other_user_id,
                body_hash,
                body_bytes,
                wire_bytes,
                content_encoding,
                signature,
                remote_address,
                path,
                reject_reason,
                reject_field,
                ignored_reason,
                ignored_field,
                ignored_fields,
                body
            ),
            arg_min(
                stg_events.receipt_id,
                (stg_events.received_at, stg_events.log_id, stg_events.log_partition, stg_events.log_offset)
            ) as receipt_id
        from stg_events
        inner join matched using (log_id, log_partition, log_offset)
        where matched.copies > 1 and matched.event_at is not null
        group by all
    )

select
    matched.user_id,
    matched.session_id,
    matched.receipt_id,
    matched.received_at,
    matched.log_id,
    matched.log_partition,
    matched.log_offset,
    matched.event,
    nullif(matched.first_receipt_id, matched.receipt_id) as duplicate_of_receipt_id,
    matched.first_receipt_id <> matched.receipt_id as is_duplicate,
    matched.first_receipt_id = matched.receipt_id or told_first.receipt_id is not null as is_counted,
    -- the later event of a session wins: by its own timestamp where it has one, else by seq_num, else by
    -- arrival
    row_number() over (
        partition by
            session_number,
            matched.event,
            matched.first_receipt_id = matched.receipt_id or told_first.receipt_id is not null
        order by
            matched.event_at nulls first,
            matched.seq_num nulls first,
            matched.received_at,
            matched.log_id,
            matched.log_partition,
            matched.log_offset
    )::integer as revision
from matched
left join told_first using (user_id, session_id, receipt_id)
