-- grain: one row per user_id, week_start in which two valid main sleeps overlap 24 hours apart
-- rebuild by: week
-- Pairs of epochs 24 hours apart, both in valid main sleeps of the week, both known. A state is 1 asleep, -1
-- awake, 0 unknown: the product of two is 1 where they agree, -1 where they differ, 0 where one is missing.
with
    -- all starts lie on one grid of 30-s slots; 24 hours are 2880 of them
    nights as (
        select
            user_id,
            week_start,
            floor(epoch(started_at) / 30)::bigint as first_slot,
            len(stages) as slots,
            list_transform(stages, lambda stage: ([0, -1, 1, 1, 1])[stage + 2]::float) as states
        from int_sessions
        inner join touched_weeks using (user_id, week_start)
        inner join int_session_epochs using (user_id, session_id)
        semi join int_main_sleeps using (user_id, session_id, week_start)
        where validity = 'valid'
    ),

    day_apart as (
        select
            user_id,
            week_start,
            earlier.states as earlier_states,
            later.states as later_states,
            earlier.first_slot + 2880 as earlier_slot,
            later.first_slot as later_slot,
            greatest(earlier_slot, later_slot) as begin_slot,
            least(earlier_slot + earlier.slots, later_slot + later.slots) as end_slot
        from nights as earlier
        inner join nights as later using (user_id, week_start)
        where begin_slot < end_slot
    ),

    aligned as (
        select
            user_id,
            week_start,
            earlier_states[begin_slot - earlier_slot + 1:end_slot - earlier_slot] as earlier_states,
            later_states[begin_slot - later_slot + 1:end_slot - later_slot] as later_states
        from day_apart
    ),

    counted as (
        select
            user_id,
            week_start,
            list_inner_product(earlier_states, later_states) as agreement,
            list_inner_product(
                list_transform(earlier_states, lambda state:abs(state)),
                list_transform(later_states, lambda state:abs(state))
            ) as valid_pairs
        from aligned
    )

select
    user_id,
    week_start,
    sum(valid_pairs)::bigint as sri_valid_pairs,
    -- 200 x P(same) - 100, where P(same) = (pairs + agreement) / 2 / pairs
    round(100.0 * sum(agreement) / nullif(sum(valid_pairs), 0), 4)::double as sleep_regularity_index
from counted
group by user_id, week_start
