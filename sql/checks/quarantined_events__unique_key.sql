-- severity: block
-- A receipt is quarantined once.
select receipt_id, count(*) as copies from quarantined_events group by receipt_id having count(*) > 1
