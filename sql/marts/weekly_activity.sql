-- grain: one row per week_start, from the first week with a valid night to the last, quiet weeks included
-- rebuild by: all
-- Who slept when: active = new + returning + resurrected, and last week's active = returning + churned. The
-- newest week is as far as the data has come: who counts as churned there may still come.
-- columns:
-- week_start: Monday of the ISO week
-- active_users: users with a valid main sleep in the week
-- new_users: active users whose first valid main sleep ever is in the week
-- returning_users: active users who were active in the calendar week before, too
-- resurrected_users: active users who were active in some earlier week, but not in the one before
-- churned_users: users who were active in the calendar week before, and are not in this one
with
    active as (
        select
            user_id,
            week_start,
            lag(week_start) over user_history as last_week,
            lead(week_start) over user_history as next_week
        from int_user_weeks
        where nights > 0
        window user_history as (partition by user_id order by week_start)
    ),

    weeks as (
        select unnest(generate_series(min(week_start), max(week_start), interval 7 day))::date as week_start
        from active
    ),

    activity as (
        select
            week_start,
            count(user_id)::integer as active_users,
            count(user_id) filter (last_week is null)::integer as new_users,
            count(user_id) filter (last_week = week_start - 7)::integer as returning_users,
            count(user_id) filter (last_week < week_start - 7)::integer as resurrected_users
        from active
        group by week_start
    ),

    departures as (
        select week_start + 7 as week_start, count(user_id)::integer as churned_users
        from active
        where next_week is distinct from week_start + 7
        group by week_start
    )

select
    week_start,
    coalesce(active_users, 0) as active_users,
    coalesce(new_users, 0) as new_users,
    coalesce(returning_users, 0) as returning_users,
    coalesce(resurrected_users, 0) as resurrected_users,
    coalesce(churned_users, 0) as churned_users
from weeks
left join activity using (week_start)
left join departures using (week_start)
