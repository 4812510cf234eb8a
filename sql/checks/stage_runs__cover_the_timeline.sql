-- severity: block
-- Runs follow each other without gap or overlap, from the first epoch to the last, each in another stage
-- than the one before.
with
    runs as (
        select
            *,
            lag(next_epoch_index, 1, 0) over (
                partition by user_id, session_id order by run_index
            ) as expected_first_epoch,
            lag(stage) over (partition by user_id, session_id order by run_index) as stage_before
        from int_stage_runs
    ),

    ends as (select user_id, session_id, max(next_epoch_index) as last_epoch from int_stage_runs group by all)

select user_id, session_id
from runs
where
    first_epoch_index <> expected_first_epoch or next_epoch_index <= first_epoch_index or stage = stage_before
union all
select user_id, session_id
from int_session_epochs
left join ends using (user_id, session_id)
where ends.last_epoch is distinct from len(stages)
