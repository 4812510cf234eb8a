-- grain: one row per call to the webhook
-- rebuild by: view
-- Every call: accepted, duplicate or rejected, and why. Never a key.
-- columns:
-- receipt_id: the receipt given in the answer
-- received_at: instant (UTC) at which the call arrived
-- verdict: accepted, duplicate (accepted, and a second copy of an earlier event), or rejected
-- reason: of a rejected call, why, in one word
-- status: the HTTP status answered
-- user_id: the x-user-id header of a rejected call; of an accepted one the user of the event
-- remote_address: who called
-- path: the path called
-- body_bytes: bytes of the body, as far as it was read
-- body: of a rejected call by an authentic caller, the body as it came
-- duplicate_of_receipt_id: of a duplicate, the receipt of the first copy
with
    accepted as (
        select
            stg_events.receipt_id,
            stg_events.received_at,
            case when int_session_events.is_duplicate then 'duplicate' else 'accepted' end as verdict,
            null as reason,
            200::smallint as status,
            stg_events.user_id,
            stg_events.remote_address,
            stg_events.path,
            stg_events.body_bytes,
            null as body,
            int_session_events.duplicate_of_receipt_id
        from stg_events
        left join int_session_events using (log_id, log_partition, log_offset)
        qualify
            row_number() over (
                partition by stg_events.receipt_id
                order by stg_events.received_at, log_id, log_partition, log_offset
            )
            = 1
    ),

    rejected as (
        select
            receipt_id,
            received_at,
            'rejected' as verdict,
            reason,
            status,
            user_id,
            remote_address,
            path,
            body_bytes,
            body,
            null as duplicate_of_receipt_id
        from stg_attempts
        qualify
            row_number() over (
                partition by receipt_id order by received_at, log_id, log_partition, log_offset
            )
            = 1
    )

select *
from accepted
union all
select *
from rejected
