-- severity: block
-- Seconds in each stage are those of the timeline.
with
    counted as (select user_id, session_id, list_histogram(stages) as epochs from int_session_epochs),

    -- a stage that a timeline has not is null
    timeline as (
        select
            user_id,
            session_id,
            30 * epochs[1] as light,
            30 * epochs[2] as deep,
            30 * epochs[3] as rem,
            30 * epochs[-1] as unknown
        from counted
    )

select sessions.user_id, sessions.session_id
from sessions
full join timeline using (user_id, session_id)
where
    coalesce(sessions.time_in_light_seconds, 0) is distinct from coalesce(timeline.light, 0)
    or coalesce(sessions.time_in_deep_seconds, 0) is distinct from coalesce(timeline.deep, 0)
    or coalesce(sessions.time_in_rem_seconds, 0) is distinct from coalesce(timeline.rem, 0)
    or coalesce(sessions.unknown_seconds, 0) is distinct from coalesce(timeline.unknown, 0)
    or sessions.user_id is null
