-- grain: one row per row of stg_events_typed
-- rebuild by: step
-- Whether times and numbers can be true, and so be kept; true also where there is nothing to be kept.
select
    *,
    coalesce(json_array_length(stages_json), 0) as stage_count,
    coalesce(
        event_time between timestamptz '2000-01-01 00:00:00+00' and timestamptz '2100-01-01 00:00:00+00',
        event_at_text is null
    ) as has_plausible_event_time,
    coalesce(
        session_start between timestamptz '2000-01-01 00:00:00+00' and timestamptz '2100-01-01 00:00:00+00'
        and not regexp_matches(session_start_text, ':\S*[+-](1[5-9]|[2-9]\d)'),
        session_start_text is null
    ) as has_plausible_start,
    coalesce(
        session_end between timestamptz '2000-01-01 00:00:00+00' and timestamptz '2100-01-01 00:00:00+00'
        and session_end > coalesce(session_start, timestamptz '2000-01-01 00:00:00+00'),
        session_end_text is null
    ) as has_plausible_end,
    coalesce(
        window_start between timestamptz '2000-01-01 00:00:00+00' and timestamptz '2100-01-01 00:00:00+00'
        and epoch(window_end) - epoch(window_start) between 30 and 604800
        -- a value stands for at most ten epochs: fewer values would stretch without limit
        and epoch(window_end) - epoch(window_start) <= 300 * greatest(stage_count, 1)
        and not regexp_matches(window_start_text, ':\S*[+-](1[5-9]|[2-9]\d)'),
        window_json is null
    ) as has_plausible_window,
    coalesce(inference_seq between 0 and 2015, inference_seq_num_json is null) as has_plausible_block,
    coalesce(seq between 0 and 20159, seq_num_json is null) as has_plausible_seq
from stg_events_typed
