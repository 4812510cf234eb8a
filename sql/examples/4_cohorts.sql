-- Groups of users, all time; fewer than 5 users show counts only
select
    cohort_type,
    cohort,
    users,
    nights,
    round(time_in_sleep_seconds_mean / 3600, 2) as hours_asleep_mean,
    round(time_in_sleep_seconds_sd / 3600, 2) as hours_asleep_sd,
    round(sleep_efficiency_pct_mean, 1) as efficiency_pct_mean,
    round(rem_pct_mean, 1) as rem_pct_mean
from cohort_metrics
where week_start is null and cohort_type in ('all', 'age_band', 'gender')
order by cohort_type, cohort
