-- grain: one row per receipt_id
-- rebuild by: all
-- Accepted bodies that could not become a row, or lost a part on the way: which, why, and what was sent; and
-- whether something else has come in their place since.
-- columns:
-- receipt_id: the receipt given in the webhook's answer
-- reason: why, in one word; the same words as in answers and logs
-- field: the field of the body that is to blame; of several, the first
-- lost_fields: every field that was left out of a body whose rest was kept; null where nothing was kept
-- is_partial: whether the rest of the body was kept and is in the tables
-- first_seen_at: instant (UTC) at which it arrived
-- resolved_at: instant (UTC) from which on a whole event stood for it: a final report of its session with
-- stages or, of a window, a window of the same inference_seq_num; null while none has come
-- resolved_by_receipt_id: receipt of the first such event
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
    whole as (
        select
            user_id,
            session_id,
            event,
            inference_seq_num,
            receipt_id,
            received_at,
            log_id,
            log_partition,
            log_offset
        from stg_events
        anti join int_faulty_events using (receipt_id)
        where sleep_stages is not null
    ),

    resolved as (
        select
            faulty.receipt_id,
            min(greatest(faulty.received_at, whole.received_at)) as resolved_at,
            arg_min(
                whole.receipt_id, (whole.received_at, whole.log_id, whole.log_partition, whole.log_offset)
            ) as resolved_by_receipt_id
        from whole
        inner join int_faulty_events as faulty using (user_id, session_id)
        where
            faulty.event in ('INFERENCE_COMPLETE', 'SESSION_COMPLETE')
            and (
                whole.event = 'SESSION_COMPLETE'
                or (faulty.event = whole.event and faulty.inference_seq_num = whole.inference_seq_num)
            )
        group by faulty.receipt_id
    )

select
    receipt_id,
    reason,
    field,
    lost_fields,
    is_partial,
    received_at as first_seen_at,
    resolved_at,
    resolved_by_receipt_id,
    user_id,
    session_id,
    event,
    dialect,
    body,
    raw_file,
    log_id,
    log_partition,
    log_offset
from int_faulty_events
left join resolved using (receipt_id)
