-- grain: one row per user_id, session_id that has epochs
-- rebuild by: session
-- Snoring and breathing of each session in epochs of 30 s: over the whole session, and inside the sleep
-- period only, as the vendor counts. An epoch of which nothing is known is not counted, and ends a run.
with
    arrays as (
        select
            user_id,
            session_id,
            snoring,
            breath,
            snoring[onset_epoch + 1:wake_epoch] as snoring_in_sleep,
            breath[onset_epoch + 1:wake_epoch] as breath_in_sleep
        from int_session_epochs
        inner join touched_sessions using (user_id, session_id)
        inner join int_session_statistics using (user_id, session_id)
    ),

    -- the product of a list with itself, moved by one, counts the neighbours; it takes no null
    filled as (
        select
            *,
            case
                when list_count(snoring_in_sleep) = len(snoring_in_sleep)
                then snoring_in_sleep
                else list_transform(snoring_in_sleep, lambda value:coalesce(value, 0::tinyint))
            end::float[] as snores,
            case
                when list_count(breath_in_sleep) = len(breath_in_sleep)
                then breath_in_sleep
                else list_transform(breath_in_sleep, lambda value:coalesce(value, 0::tinyint))
            end::float[] as breaths
        from arrays
    )

select
    user_id,
    session_id,
    list_sum(snoring)::integer as snoring_epochs,
    list_sum(breath)::integer as unstable_breath_epochs,
    list_sum(snoring_in_sleep)::integer as snoring_period_epochs,
    nullif(list_count(snoring_in_sleep), 0)::integer as snoring_known_epochs,
    (list_sum(snores) - list_dot_product(snores[2:], snores[:-2]))::integer as snoring_runs,
    list_sum(breath_in_sleep)::integer as unstable_breath_period_epochs,
    nullif(list_count(breath_in_sleep), 0)::integer as breath_known_epochs,
    (list_sum(breaths) - list_dot_product(breaths[2:], breaths[:-2]))::integer as unstable_breath_runs
from filled
