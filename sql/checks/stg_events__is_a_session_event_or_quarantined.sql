-- severity: block
-- Every staged event counts for a session, repeats a receipt that does, or is quarantined.
select receipt_id from stg_events anti join int_session_events using (receipt_id) where reject_reason is null
