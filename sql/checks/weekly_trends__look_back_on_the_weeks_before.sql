-- severity: block
-- Changes and trailing means are those of the weeks that the table itself has.
with
    looked_back as (
        select
            that.user_id,
            that.week_start,
            any_value(that.time_in_sleep_seconds_mean_change) as told_change,
            any_value(that.time_in_sleep_seconds_mean_trailing_4_weeks) as told_mean,
            any_value(
                that.time_in_sleep_seconds_mean
            ) - any_value(earlier.time_in_sleep_seconds_mean) filter (
                earlier.week_start = that.week_start - 7
            ) as found_change,
            avg(earlier.time_in_sleep_seconds_mean) as found_mean
        from weekly_trends as that
        inner join
            weekly_trends as earlier
            on earlier.user_id = that.user_id
            and earlier.week_start between that.week_start - 21 and that.week_start
        group by that.user_id, that.week_start
    )

select user_id, week_start, told_change, found_change, told_mean, found_mean
from looked_back
where
    (told_change is null) <> (found_change is null)
    or abs(told_change - found_change) > 0.001
    or (told_mean is null) <> (found_mean is null)
    or abs(told_mean - found_mean) > 0.001
