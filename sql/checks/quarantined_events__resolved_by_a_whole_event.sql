-- severity: block
-- What stands for a quarantined body is an event of the same session, and came no later than it was resolved.
with
    resolved as (
        select user_id, session_id, resolved_by_receipt_id as receipt_id, first_seen_at, resolved_at
        from quarantined_events
        where resolved_at is not null or resolved_by_receipt_id is not null
    )

select resolved.receipt_id
from resolved
left join int_session_events as events using (user_id, session_id, receipt_id)
where
    events.receipt_id is null
    or resolved_at is null
    or resolved_at < first_seen_at
    or resolved_at < events.received_at
