-- grain: one row per row of stg_events_parsed
-- rebuild by: step
-- One name for what each dialect of the webhook calls and places differently; see docs/dialects.md. Leaves
-- whose type counts are still JSON (_json), the others text (_text).
select
    * exclude (e, p, s, json_body),
    coalesce(e.event, e.callback_event) as event_json,
    coalesce(e.version, e.callback_version) ->> '$' as version,
    case
        when e.callback_event is not null and coalesce(e.callback_version ->> '$', 'V1') ilike 'v2'
        then 'v2'
        when e.callback_event is not null
        then 'v1'
        when starts_with(e.data, '{')
        then 'nested'
        when e.timestamp is null and e.user_id is null
        then 'partial'
        else 'flat'
    end as dialect,
    coalesce(p.user_id, e.user_id) as user_id_json,
    coalesce(p.session_id, s.id, e.session_id) as session_id_json,
    coalesce(p.timestamp, e.timestamp) ->> '$' as event_at_text,
    p.seq_num as seq_num_json,
    p.inference_seq_num as inference_seq_num_json,
    coalesce(s.sleep_stages, s.stage_list, p.sleep_stages, p.stage_list) as stages_json,
    coalesce(s.breath_stages, s.osa_stages, p.breath_stages, p.osa_stages) as breath_json,
    coalesce(s.snoring_stages, p.snoring_stages) as snoring_json,
    p.time_window ->> '$.start' as window_start_text,
    p.time_window ->> '$.end' as window_end_text,
    coalesce(s.start_time, s.session_start_time, p.session_start_time, p.start_time)
    ->> '$' as session_start_text,
    coalesce(s.end_time, s.session_end_time, s.unexpected_end_time, p.session_end_time, p.end_time)
    ->> '$' as session_end_text,
    s.created_timezone ->> '$' as created_timezone_text,
    coalesce(s.timezone, p.timezone) ->> '$' as timezone_text,
    s.state ->> '$' as session_state,
    coalesce(p.validity, s.validity) ->> '$' as vendor_validity,
    coalesce(p.peculiarities, s.peculiarities) as peculiarities_json,
    coalesce(p.missing_data_ratio, s.missing_data_ratio) as missing_data_ratio_json,
    coalesce(p.stat, s.stat) as stat_json,
    coalesce(p.session, p.sleep_data) as session_json,
    p.time_window as window_json
from stg_events_parsed
