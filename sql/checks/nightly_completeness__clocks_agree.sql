-- severity: warn
-- Nothing arrives more than five minutes before its own end: else a clock is wrong, the phone's or ours.
select user_id, session_id, window_delay_seconds_median, report_delay_seconds
from int_session_completeness
where window_delay_seconds_median < -300 or report_delay_seconds < -300
