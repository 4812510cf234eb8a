-- grain: one row per row of stg_events_measured
-- rebuild by: step
-- Why a body can not be a row: the first reason that holds, and the field; null for one that can.
select
    *,
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
    end as rejected
from stg_events_measured
