-- The vendor's statistics of the last nights against ours
select
    metric,
    unit,
    count(*) as sessions,
    count(*) filter (not is_within_tolerance) as disagree,
    round(median(difference), 2) as difference_median,
    any_value(tolerance) as tolerance,
    any_value(definition) as definition
from stat_reconciliation
where is_of_the_report and sleep_date > (select max(sleep_date) - 28 from sessions)
group by metric, unit
order by disagree desc, metric
limit 8
