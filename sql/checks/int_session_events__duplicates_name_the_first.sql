-- severity: block
-- A duplicate names an event of its session that is none itself.
with
    duplicates as (
        select user_id, session_id, event, receipt_id, duplicate_of_receipt_id as first_receipt_id
        from int_session_events
        where is_duplicate
    ),

    firsts as (
        select user_id, session_id, event, receipt_id as first_receipt_id
        from int_session_events
        where not is_duplicate and receipt_id in (select first_receipt_id from duplicates)
    )

select user_id, session_id, receipt_id, first_receipt_id
from duplicates
anti join firsts using (user_id, session_id, event, first_receipt_id)
