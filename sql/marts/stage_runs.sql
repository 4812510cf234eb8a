-- grain: one row per user_id, session_id, run_index
-- rebuild by: view
-- The hypnogram as runs: each stretch of consecutive epochs in one stage; far smaller than stage_timelines.
-- columns:
-- user_id: the customer's user; with session_id the key of a session
-- session_id: the session, unique within its user only
-- run_index: 0-based number of the run in its session
-- stage: -1 unknown, 0 wake, 1 light, 2 deep, 3 REM
-- stage_name: the stage in a word: unknown, wake, light, deep, rem
-- first_epoch_index: 0-based number of the run's first epoch
-- epoch_count: epochs of 30 s in the run
-- run_started_at: instant (UTC) at which the run starts
-- run_ended_at: instant (UTC) at which the run ends, the start of the next one
-- run_seconds: length of the run in seconds
select
    runs.user_id,
    runs.session_id,
    runs.run_index,
    runs.stage,
    ['unknown', 'wake', 'light', 'deep', 'rem'][runs.stage + 2] as stage_name,
    runs.first_epoch_index,
    runs.epoch_count,
    sessions.started_at + to_seconds(30 * runs.first_epoch_index) as run_started_at,
    sessions.started_at + to_seconds(30 * runs.next_epoch_index) as run_ended_at,
    30 * runs.epoch_count as run_seconds
from int_stage_runs as runs
inner join int_session_reports as sessions using (user_id, session_id)
