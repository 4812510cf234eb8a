-- severity: warn
-- Every body became rows, whole.
select receipt_id, reason, field from quarantined_events
