-- grain: one row per landed record of the topic asleep.events
-- rebuild by: file
-- Every dialect of the webhook ends here as the same typed columns. A body that can not be a row carries its
-- reject_reason; a body with one bad part keeps the good ones and carries the part in ignored_reason.
with
    -- the time that carries the offset of the session's zone
    zoned as (
        select
            *,
            coalesce(
                case when has_plausible_start then session_start_text end,
                case when has_plausible_window then window_start_text end
            ) as zoned_text
        from stg_events_judged
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
    case
        when ignored is not null then list_filter(faulty_fields, lambda field:field is not null)
    end as ignored_fields,
    case when rejected is not null or ignored is not null then coalesce(body, body_bytes::varchar) end as body
from zoned
