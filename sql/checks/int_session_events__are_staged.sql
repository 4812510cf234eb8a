-- severity: block
-- Every event of a session is a staged record that was not set aside: with those in quarantine and the
-- records that the log holds twice, they are all that was accepted.
select user_id, session_id, receipt_id
from int_session_events
anti join
    (select log_id, log_partition, log_offset from stg_events where reject_reason is null) using (
        log_id, log_partition, log_offset
    )
