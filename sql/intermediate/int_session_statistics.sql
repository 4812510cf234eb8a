-- grain: one row per user_id, session_id that has epochs
-- rebuild by: session
-- Sleep statistics of each session in epochs of 30 s, from its runs. The sleep period goes from the first to
-- the last epoch of any sleep, inclusive; unknown epochs are neither sleep nor wake.
with
    runs as (
        select int_stage_runs.*, touched_sessions.session_number
        from int_stage_runs
        inner join touched_sessions using (user_id, session_id)
    ),

    periods as (
        select
            session_number,
            min(first_epoch_index) filter (stage > 0) as onset_epoch,
            max(next_epoch_index) filter (stage > 0) as wake_epoch
        from runs
        group by session_number
    ),

    totals as (
        select
            runs.session_number,
            any_value(runs.user_id) as user_id,
            any_value(runs.session_id) as session_id,
            any_value(onset_epoch) as onset_epoch,
            any_value(wake_epoch) as wake_epoch,
            sum(epoch_count)::integer as epoch_count,
            coalesce(sum(epoch_count) filter (stage = -1), 0)::integer as unknown_epochs,
            coalesce(sum(epoch_count) filter (stage = 1), 0)::integer as light_epochs,
            coalesce(sum(epoch_count) filter (stage = 2), 0)::integer as deep_epochs,
            coalesce(sum(epoch_count) filter (stage = 3), 0)::integer as rem_epochs,
            min(first_epoch_index) filter (stage = 1) as first_light_epoch,
            min(first_epoch_index) filter (stage = 2) as first_deep_epoch,
            min(first_epoch_index) filter (stage = 3) as first_rem_epoch,
            coalesce(
                sum(epoch_count) filter (
                    stage = 0 and first_epoch_index > onset_epoch and next_epoch_index < wake_epoch
                ),
                0
            )::integer as waso_epochs,
            count(*) filter (
                stage = 0 and first_epoch_index > onset_epoch and next_epoch_index < wake_epoch
            )::integer as waso_runs,
            coalesce(
                max(epoch_count) filter (
                    stage = 0 and first_epoch_index > onset_epoch and next_epoch_index < wake_epoch
                ),
                0
            )::integer as longest_waso_epochs
        from runs
        inner join periods using (session_number)
        group by runs.session_number
    ),

    -- the vendor's rule (pysleep): a gap of more than 20 epochs splits REM into clusters, and a cluster of at
    -- least 20 REM epochs is a sleep cycle
    rem_runs as (
        select
            session_number,
            first_epoch_index,
            next_epoch_index,
            epoch_count,
            first_epoch_index
            - lag(next_epoch_index) over (partition by session_number order by first_epoch_index)
            > 20 as starts_a_cluster
        from runs
        where stage = 3
    ),

    rem_clusters as (
        select
            session_number,
            next_epoch_index,
            epoch_count,
            count(*) filter (starts_a_cluster) over (
                partition by session_number order by first_epoch_index
            ) as cluster_index
        from rem_runs
    ),

    cycles as (
        select session_number, cluster_index, max(next_epoch_index) as next_epoch_index
        from rem_clusters
        group by session_number, cluster_index
        having sum(epoch_count) >= 20
    ),

    cycle_counts as (
        select
            session_number,
            count(*)::integer as sleep_cycle_count,
            max(next_epoch_index) - 1 as last_cycle_epoch
        from cycles
        group by session_number
    )

select
    totals.* exclude (session_number),
    coalesce(cycle_counts.sleep_cycle_count, 0) as sleep_cycle_count,
    cycle_counts.last_cycle_epoch
from totals
left join cycle_counts using (session_number)
