-- severity: warn
-- Start and end are as far apart as the stages last, give or take one epoch.
select user_id, session_id, time_in_bed_seconds, 30 * epoch_count as stages_seconds
from sessions
where is_final and abs(time_in_bed_seconds - 30 * epoch_count) > 30
