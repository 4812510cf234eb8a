-- severity: block
-- Weeks follow each other without a gap; active users are new, returning or resurrected, those of the week
-- before have returned or churned, and all new users together are those with a valid night.
with
    weeks as (
        select
            *,
            lag(week_start) over by_week as week_before,
            lag(active_users, 1, 0) over by_week as active_before,
            sum(new_users) over () as all_new_users,
            (select count(*) from users where valid_nights > 0) as users_with_nights
        from weekly_activity
        window by_week as (order by week_start)
    )

select week_start, active_users, new_users, returning_users, resurrected_users, churned_users
from weeks
where
    week_before <> week_start - 7
    or active_users <> new_users + returning_users + resurrected_users
    or active_before <> returning_users + churned_users
    or all_new_users <> users_with_nights
