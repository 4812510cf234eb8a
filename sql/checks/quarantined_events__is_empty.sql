-- severity: warn
-- Every body of the newest 28 days became rows, whole, or something else came in its place.
select receipt_id, reason, field
from quarantined_events
where
    resolved_at is null
    and first_seen_at
    > coalesce((select max(last_received_at) from sessions) - interval 28 days, '-infinity'::timestamptz)
