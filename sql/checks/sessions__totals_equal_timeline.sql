-- severity: block
-- Seconds in each stage are those of the timeline.
with
    timeline as (
        select
            user_id,
            session_id,
            30 * count(*) filter (stage = 1) as light,
            30 * count(*) filter (stage = 2) as deep,
            30 * count(*) filter (stage = 3) as rem,
            30 * count(*) filter (stage = -1) as unknown
        from (select user_id, session_id, unnest(stages) as stage from int_session_epochs)
        group by user_id, session_id
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
