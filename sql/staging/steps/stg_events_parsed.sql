-- grain: one row per row of stg_events_landed
-- rebuild by: step
-- The body taken apart: e are the leaves of its envelope, p those of its payload (data, callback_data or the
-- body itself), s those of the session in it. Every leaf stays JSON: a value of the wrong type must be told
-- apart from a missing one.
with
    opened as (
        select
            *,
            regexp_matches(json_body, '^\s*\{') as is_object,
            from_json(
                json_body,
                '{"event":"JSON","version":"JSON","user_id":"JSON","session_id":"JSON","timestamp":"JSON",
                  "callback_event":"JSON","callback_version":"JSON","data":"JSON","callback_data":"JSON"}'
            ) as e
        from stg_events_landed
    ),

    payloads as (
        select
            *,
            from_json(
                -- a leaf that begins with a brace is an object: to parse it for its type would cost as much
                -- again
                case
                    when starts_with(e.data, '{')
                    then e.data
                    when starts_with(e.callback_data, '{')
                    then e.callback_data
                    else json_body::json
                end,
                '{"user_id":"JSON","session_id":"JSON","timestamp":"JSON","seq_num":"JSON",
                  "inference_seq_num":"JSON","sleep_stages":"JSON","stage_list":"JSON","breath_stages":"JSON",
                  "osa_stages":"JSON","snoring_stages":"JSON","time_window":"JSON","session":"JSON",
                  "sleep_data":"JSON","stat":"JSON",
                  "session_start_time":"JSON","session_end_time":"JSON","start_time":"JSON","end_time":"JSON",
                  "validity":"JSON","timezone":"JSON",
                  "peculiarities":"JSON","missing_data_ratio":"JSON"}'
            ) as p
        from opened
    )

select
    *,
    from_json(
        coalesce(p.session, p.sleep_data),
        '{"id":"JSON","state":"JSON","start_time":"JSON","end_time":"JSON","unexpected_end_time":"JSON",
          "session_start_time":"JSON","session_end_time":"JSON","validity":"JSON",
          "timezone":"JSON","created_timezone":"JSON","sleep_stages":"JSON","stage_list":"JSON",
          "breath_stages":"JSON","osa_stages":"JSON","snoring_stages":"JSON","peculiarities":"JSON",
          "missing_data_ratio":"JSON","stat":"JSON"}'
    ) as s
from payloads
