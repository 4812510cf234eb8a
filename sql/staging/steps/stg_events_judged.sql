-- grain: one row per row of stg_events_rejected
-- rebuild by: step
-- What of a body is ignored so that the rest of it can be a row: ignored is the first fault with its reason,
-- faulty_fields names the fields of all.
select
    *,
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
    end as ignored,
    [
        case when event_name = 'INFERENCE_COMPLETE' and stage_count = 0 then 'sleep_stages' end,
        case when not has_plausible_event_time then 'timestamp' end,
        case when not has_plausible_start then 'session.start_time' end,
        case when not has_plausible_end then 'session.end_time' end,
        case when not has_plausible_window then 'time_window' end,
        case when not has_plausible_block then 'inference_seq_num' end,
        case when not has_plausible_seq then 'seq_num' end,
        case when not has_valid_created_timezone then 'session.created_timezone' end,
        case when not has_valid_timezone then 'timezone' end,
        case
            when not has_valid_snoring or json_array_length(snoring_json) <> stage_count then 'snoring_stages'
        end,
        case
            when not has_valid_breath or json_array_length(breath_json) <> stage_count then 'breath_stages'
        end,
        case when json_type(stat_json) <> 'OBJECT' then 'stat' end,
        case when json_type(peculiarities_json) <> 'ARRAY' then 'peculiarities' end,
        case
            when missing_data_ratio_json is not null and json_number(missing_data_ratio_json) is null
            then 'missing_data_ratio'
        end
    ] as faulty_fields
from stg_events_rejected
