-- severity: block
-- Stages are -1 to 3, flags 0 or 1, and what a final report made has no gap.
with
    epochs as (
        select
            user_id,
            session_id,
            is_final,
            unnest(stages) as stage,
            unnest(first_stages) as first_stage,
            unnest(snoring) as snoring,
            unnest(breath) as breath
        from int_session_epochs
    )

select distinct user_id, session_id
from epochs
where
    stage is null
    or stage < -1
    or stage > 3
    or first_stage < -1
    or first_stage > 3
    or snoring < 0
    or snoring > 1
    or breath < 0
    or breath > 1
    or (is_final and first_stage is null)
