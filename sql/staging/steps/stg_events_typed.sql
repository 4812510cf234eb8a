-- grain: one row per row of stg_events_fields
-- rebuild by: step
-- Leaves as values; null is what is no value of its type. Whether arrays and zones can be kept: false for one
-- that is there and can not, null where there is none.
with zones as (select name from pg_timezone_names())

select
    *,
    event_json ->> '$' as event_name,
    coalesce(nullif(user_id_json ->> '$', ''), nullif(user_id, '')) as user,
    nullif(session_id_json ->> '$', '') as session,
    try_cast(event_at_text as timestamptz) as event_time,
    try_cast(seq_num_json as bigint) as seq,
    try_cast(inference_seq_num_json as bigint) as inference_seq,
    -- the same alphabet for all three arrays; the lengths are held below 7 days of 30-s epochs
    regexp_full_match(
        stages_json::varchar, '\[((-1|[0-3])(\.0+)?|null)?(,((-1|[0-3])(\.0+)?|null))*\]'
    ) as has_valid_stages,
    regexp_full_match(
        snoring_json::varchar, '\[((-1|[01])(\.0+)?|null)?(,((-1|[01])(\.0+)?|null))*\]'
    ) as has_valid_snoring,
    regexp_full_match(
        breath_json::varchar, '\[((-1|[01])(\.0+)?|null)?(,((-1|[01])(\.0+)?|null))*\]'
    ) as has_valid_breath,
    try_cast(window_start_text as timestamptz) as window_start,
    try_cast(window_end_text as timestamptz) as window_end,
    try_cast(session_start_text as timestamptz) as session_start,
    try_cast(session_end_text as timestamptz) as session_end,
    created_timezone_text in (from zones) as has_valid_created_timezone,
    timezone_text in (from zones) as has_valid_timezone
from stg_events_fields
