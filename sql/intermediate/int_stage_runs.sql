-- grain: one row per user_id, session_id, run_index
-- rebuild by: session
-- Each stretch of consecutive epochs in one stage, as indices into the session's arrays.
with
    hypnograms as (
        select int_session_epochs.*
        from int_session_epochs
        inner join touched_sessions using (user_id, session_id)
    ),

    starts as (
        select
            user_id,
            session_id,
            stages,
            list_filter(range(1, len(stages) + 1), lambda i:i = 1 or stages[i] <> stages[i - 1]) as positions
        from hypnograms
    ),

    runs as (
        select
            user_id,
            session_id,
            unnest(range(len(positions))) as run_index,
            unnest(list_transform(positions, lambda i:stages[i])) as stage,
            unnest(positions) - 1 as first_epoch_index,
            unnest(list_append(positions[2:], len(stages) + 1)) - 1 as next_epoch_index
        from starts
    )

select
    user_id,
    session_id,
    run_index::integer as run_index,
    stage,
    first_epoch_index::integer as first_epoch_index,
    next_epoch_index::integer as next_epoch_index,
    (next_epoch_index - first_epoch_index)::integer as epoch_count
from runs
