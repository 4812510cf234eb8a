-- severity: block
-- A cohort's week is one row.
select cohort_type, cohort, week_start, count(*) as copies
from cohort_metrics
group by cohort_type, cohort, week_start
having count(*) > 1
