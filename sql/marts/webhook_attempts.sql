-- grain: one row per call to the webhook, or per several refused calls of one address, reason and second
-- rebuild by: view
-- Every call: accepted, duplicate or rejected, and why. Never a key. Count calls with sum(calls): under a
-- flood refused calls are summed up. A call that was told 503 while its event reached the log after all is
-- one row; where so many were told so at once that they were summed up, a sum may stand beside their rows.
-- columns:
-- receipt_id: the receipt given in the answer; a row of several calls has one of its own, told to nobody
-- received_at: instant (UTC) at which the call arrived; of several calls the second
-- verdict: accepted, duplicate (accepted, and its body or its session:event:timestamp had been there), or
-- rejected
-- reason: why it was refused, in one word; of an accepted row where its caller was told 503 all the same
-- status: the HTTP status answered
-- calls: 1, or how many refused calls the row sums up
-- user_id: the x-user-id header of a rejected call, at most 128 bytes of a stranger's; of an accepted one the
-- user of the event; null of several calls
-- is_user_mismatch: whether an accepted body names another user than x-user-id did; null of a rejected call,
-- whose reason says so
-- other_user_id: the x-user-id header of such a mismatch; user_id is the user that the body names
-- remote_address: who called; null of several calls that came from more addresses than are told apart
-- path: the path called; null of several calls
-- signature: valid, none where the call had none, unchecked where it was not looked at; null where the call
-- was refused before that, or for its signature
-- content_encoding: gzip where the body came compressed; of a call refused for its encoding, what it said
-- wire_bytes: bytes of the body as sent, as far as it was read; of several calls their sum
-- body_bytes: bytes of the body as stored, decompressed unless it could not be; null where none is
-- body: of a rejected call by an authentic caller, the body as stored; bytes that are no text as \xFF
-- duplicate_of_receipt_id: of a duplicate, the receipt of the first such event to arrive
-- raw_file: the landed file that held its record when it was loaded, below the raw folder
-- log_topic: topic of its record in the log: asleep.events of an accepted call, asleep.attempts of a refused
-- log_id: the log that holds it
-- log_partition: its partition there
-- log_offset: its offset there
with
    rejected as (
        select *
        from stg_attempts
        anti join stg_events using (receipt_id)
        qualify
            row_number() over (
                partition by receipt_id order by received_at, log_id, log_partition, log_offset
            )
            = 1
    )

select
    receipt_id,
    received_at,
    case when duplicate_of_receipt_id is null then 'accepted' else 'duplicate' end as verdict,
    reason,
    status,
    1::bigint as calls,
    user_id,
    is_user_mismatch,
    other_user_id,
    remote_address,
    path,
    signature,
    content_encoding,
    wire_bytes,
    body_bytes,
    null as body,
    duplicate_of_receipt_id,
    raw_file,
    'asleep.events' as log_topic,
    log_id,
    log_partition,
    log_offset
from int_accepted_calls
union all
select
    receipt_id,
    received_at,
    'rejected' as verdict,
    reason,
    status,
    calls,
    user_id,
    null as is_user_mismatch,
    null as other_user_id,
    remote_address,
    path,
    signature,
    content_encoding,
    wire_bytes,
    body_bytes,
    body,
    null as duplicate_of_receipt_id,
    raw_file,
    'asleep.attempts' as log_topic,
    log_id,
    log_partition,
    log_offset
from rejected
