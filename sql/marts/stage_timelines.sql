-- grain: one row per user_id, session_id, epoch_index
-- rebuild by: view
-- The hypnogram of every session, one row per 30-s epoch, after all revisions. Filter by user and session.
-- columns:
-- user_id: the customer's user; with session_id the key of a session
-- session_id: the session, unique within its user only
-- epoch_index: 0-based number of the epoch in its session
-- epoch_started_at: instant (UTC) at which the epoch starts
-- epoch_started_local: wall-clock time of that in the session's zone
-- epoch_seconds: length of the epoch in seconds, always 30
-- stage: -1 unknown, 0 wake, 1 light, 2 deep, 3 REM
-- stage_name: the stage in a word: unknown, wake, light, deep, rem
-- is_snoring: whether there was snoring; null where nothing was said
-- is_breath_unstable: whether the breathing was unstable; null where nothing was said
-- source: session_complete or inference; null for an epoch that nothing reported
-- inference_seq_num: 5-minute block number of the newest inference window that covers the epoch
-- revisions: how often a later window or the final report changed the stage
-- first_stage: the stage that was reported first; null for an epoch that nothing reported
-- is_final: whether the stage comes from a final report
with
    unnested as (
        select
            epochs.user_id,
            epochs.session_id,
            epochs.is_final,
            sessions.started_at,
            sessions.timezone,
            sessions.utc_offset_seconds,
            unnest(range(len(epochs.stages))) as epoch_index,
            unnest(epochs.stages) as stage,
            unnest(epochs.first_stages) as first_stage,
            unnest(epochs.revisions) as revisions,
            unnest(epochs.snoring) as snoring,
            unnest(epochs.breath) as breath,
            unnest(epochs.inference_seq_nums) as inference_seq_num
        from int_session_epochs as epochs
        inner join int_session_reports as sessions using (user_id, session_id)
    )

select
    user_id,
    session_id,
    epoch_index::smallint as epoch_index,
    started_at + to_seconds(30 * epoch_index) as epoch_started_at,
    case
        when utc_offset_seconds is null
        then timezone(timezone, started_at + to_seconds(30 * epoch_index))
        else timezone('UTC', started_at) + to_seconds(30 * epoch_index + utc_offset_seconds)
    end as epoch_started_local,
    30::smallint as epoch_seconds,
    stage,
    ['unknown', 'wake', 'light', 'deep', 'rem'][stage + 2] as stage_name,
    snoring = 1 as is_snoring,
    breath = 1 as is_breath_unstable,
    case when is_final then 'session_complete' when first_stage is not null then 'inference' end as source,
    inference_seq_num,
    revisions,
    first_stage,
    is_final
from unnested
