-- grain: one row per landed record of the topic asleep.events
-- rebuild by: file
-- Every dialect of the webhook ends here as the same typed columns. A body that can not be a row carries its
-- reject_reason; a body with one bad part keeps the good ones and carries the part in ignored_reason.
with
    landed as (
        select
            *,
            case when json_valid(body) then body end as json_body,
            -- a header that a row can do without does not condemn the body
            regexp_matches(
                landing_error, '(^|; )(no value|value: |header (receipt_id|received_at): )'
            ) as is_unreadable,
            replace(filename, $raw_dir || '/', '') as raw_file
        from read_parquet($event_files, filename = true, union_by_name = true, hive_partitioning = false)
    ),

    zones as (select name from pg_timezone_names()),

    -- every leaf stays JSON: a value of the wrong type must be told apart from a missing one
    opened as (
        select
            * exclude (filename),
            regexp_matches(json_body, '^\s*\{') as is_object,
            from_json(
                json_body,
                '{"event":"JSON","version":"JSON","user_id":"JSON","session_id":"JSON","timestamp":"JSON",
                  "callback_event":"JSON","callback_version":"JSON","data":"JSON","callback_data":"JSON"}'
            ) as e
        from landed
    ),

    parsed as (
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
    ),

    parsed_sessions as (
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
        from parsed
    ),

    fields as (
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
        from parsed_sessions
    ),

    typed as (
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
        from fields
    ),

    measured as (
        select
            *,
            coalesce(json_array_length(stages_json), 0) as stage_count,
            coalesce(
                event_time
                between timestamptz '2000-01-01 00:00:00+00' and timestamptz '2100-01-01 00:00:00+00',
                event_at_text is null
            ) as has_plausible_event_time,
            coalesce(
                session_start
                between timestamptz '2000-01-01 00:00:00+00' and timestamptz '2100-01-01 00:00:00+00'
                and not regexp_matches(session_start_text, ':\S*[+-](1[5-9]|[2-9]\d)'),
                session_start_text is null
            ) as has_plausible_start,
            coalesce(
                session_end
                between timestamptz '2000-01-01 00:00:00+00' and timestamptz '2100-01-01 00:00:00+00'
                and session_end > coalesce(session_start, timestamptz '2000-01-01 00:00:00+00'),
                session_end_text is null
            ) as has_plausible_end,
            coalesce(
                window_start
                between timestamptz '2000-01-01 00:00:00+00' and timestamptz '2100-01-01 00:00:00+00'
                and epoch(window_end) - epoch(window_start) between 30 and 604800
                -- a value stands for at most ten epochs: fewer values would stretch without limit
                and epoch(window_end) - epoch(window_start) <= 300 * greatest(stage_count, 1)
                and not regexp_matches(window_start_text, ':\S*[+-](1[5-9]|[2-9]\d)'),
                window_json is null
            ) as has_plausible_window,
            coalesce(inference_seq between 0 and 2015, inference_seq_num_json is null) as has_plausible_block,
            coalesce(seq between 0 and 20159, seq_num_json is null) as has_plausible_seq
        from typed
    ),

    judged as (
        select
            *,
            coalesce(
                case when has_plausible_start then session_start_text end,
                case when has_plausible_window then window_start_text end
            ) as zoned_text,
            case
                when is_unreadable or is_object is not true
                then {'reason':'unreadable_record', 'field':'body'}
                when event_json is null
                then {'reason':'missing_event', 'field':'event'}
                when json_type(event_json) <> 'VARCHAR'
                then {'reason':'wrong_type', 'field':'event'}
                when event_name not in ('INFERENCE_COMPLETE', 'SESSION_COMPLETE')
                then {'reason':'unknown_event', 'field':'event'}
                when json_type(user_id_json) <> 'VARCHAR'
                then {'reason':'wrong_type', 'field':'user_id'}
                when user is null
                then {'reason':'missing_user_id', 'field':'user_id'}
                when json_type(session_json) <> 'OBJECT'
                then {'reason':'wrong_type', 'field':'session'}
                when json_type(session_id_json) <> 'VARCHAR'
                then {'reason':'wrong_type', 'field':'session_id'}
                when session is null
                then {'reason':'missing_session_id', 'field':'session_id'}
                when contains(user, chr(0))
                then {'reason':'invalid_character', 'field':'user_id'}
                when contains(session, chr(0))
                then {'reason':'invalid_character', 'field':'session_id'}
                when json_type(stages_json) <> 'ARRAY'
                then {'reason':'wrong_type', 'field':'sleep_stages'}
                -- a string, an object, a boolean or a list among the elements
                when not has_valid_stages and regexp_matches(stages_json::varchar, '["{tf]|\[.*\[')
                then {'reason':'wrong_type', 'field':'sleep_stages'}
                when not has_valid_stages
                then {'reason':'invalid_stage', 'field':'sleep_stages'}
                when stage_count > 20160
                then {'reason':'too_many_epochs', 'field':'sleep_stages'}
            end as rejected,
            case
                when event_name = 'INFERENCE_COMPLETE' and stage_count = 0
                then {'reason':'missing_stages', 'field':'sleep_stages'}
                when not has_plausible_event_time
                then {'reason':'invalid_timestamp', 'field':'timestamp'}
                when not has_plausible_start
                then {'reason':'invalid_timestamp', 'field':'session.start_time'}
                when not has_plausible_end
                then {'reason':'invalid_timestamp', 'field':'session.end_time'}
                when not has_plausible_window
                then {'reason':'invalid_time_window', 'field':'time_window'}
                when not has_plausible_block
                then {'reason':'wrong_type', 'field':'inference_seq_num'}
                when not has_plausible_seq
                then {'reason':'wrong_type', 'field':'seq_num'}
                when not has_valid_created_timezone
                then {'reason':'invalid_timezone', 'field':'session.created_timezone'}
                when not has_valid_timezone
                then {'reason':'invalid_timezone', 'field':'timezone'}
                when json_type(snoring_json) <> 'ARRAY'
                then {'reason':'wrong_type', 'field':'snoring_stages'}
                when not has_valid_snoring
                then {'reason':'invalid_stage', 'field':'snoring_stages'}
                when json_type(breath_json) <> 'ARRAY'
                then {'reason':'wrong_type', 'field':'breath_stages'}
                when not has_valid_breath
                then {'reason':'invalid_stage', 'field':'breath_stages'}
                when json_array_length(snoring_json) <> stage_count
                then {'reason':'array_length_mismatch', 'field':'snoring_stages'}
                when json_array_length(breath_json) <> stage_count
                then {'reason':'array_length_mismatch', 'field':'breath_stages'}
                when json_type(stat_json) <> 'OBJECT'
                then {'reason':'wrong_type', 'field':'stat'}
                when json_type(peculiarities_json) <> 'ARRAY'
                then {'reason':'wrong_type', 'field':'peculiarities'}
                when missing_data_ratio_json is not null and json_number(missing_data_ratio_json) is null
                then {'reason':'wrong_type', 'field':'missing_data_ratio'}
            end as ignored
        from measured
    )

select
    -- a record of somebody else's making has no receipt; its place in the log is as good a name
    coalesce(receipt_id, concat_ws('/', log_id, log_topic, log_partition, log_offset)) as receipt_id,
    received_at,
    log_id,
    log_partition,
    log_offset,
    raw_file,
    dialect,
    event_name as event,
    version,
    user as user_id,
    case
        when user <> nullif(user_id, '') and json_type(user_id_json) = 'VARCHAR' then user_id
    end as other_user_id,
    session as session_id,
    case when has_plausible_event_time then event_time end as event_at,
    case when has_plausible_seq then seq::integer end as seq_num,
    case when has_plausible_block then inference_seq::integer end as inference_seq_num,
    case when rejected is null then nullif(try_cast(stages_json as tinyint[]), []) end as sleep_stages,
    case when has_valid_snoring then nullif(try_cast(snoring_json as tinyint[]), []) end as snoring_stages,
    case when has_valid_breath then nullif(try_cast(breath_json as tinyint[]), []) end as breath_stages,
    case when has_plausible_window then window_start end as window_started_at,
    case when has_plausible_window then window_end end as window_ended_at,
    case when has_plausible_start then session_start end as session_started_at,
    case when has_plausible_end then session_end end as session_ended_at,
    case
        when regexp_matches(zoned_text, ':\S*Z$')
        then '+00:00'
        when regexp_matches(zoned_text, ':\S*[+-]\d\d(:?\d\d)?$')
        then rpad(regexp_replace(zoned_text, '^.*([+-]\d\d):?(\d\d)?$', '\1:\2'), 6, '0')
    end as utc_offset,
    case when has_valid_created_timezone then created_timezone_text end as created_timezone,
    case when has_valid_timezone then timezone_text end as timezone,
    session_state,
    vendor_validity,
    coalesce(try_cast(peculiarities_json as varchar[]), []) as peculiarities,
    json_number(missing_data_ratio_json) as missing_data_ratio,
    case when json_type(stat_json) = 'OBJECT' then stat_json::varchar end as vendor_stat,
    -- equal bodies have equal timestamps: the body tells copies only where there is none
    case when event_time is null or not has_plausible_event_time then md5_number_lower(body) end as body_hash,
    coalesce(strlen(body), octet_length(body_bytes)) as body_bytes,
    attempt_body_bytes as wire_bytes,
    content_encoding,
    signature,
    remote_address,
    path,
    rejected.reason as reject_reason,
    rejected.field as reject_field,
    ignored.reason as ignored_reason,
    ignored.field as ignored_field,
    case when rejected is not null or ignored is not null then coalesce(body, body_bytes::varchar) end as body
from judged
