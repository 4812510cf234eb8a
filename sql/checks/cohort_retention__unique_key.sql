-- severity: block
-- A cohort's week is one row.
select cohort_type, cohort, weeks_since, count(*) as copies
from cohort_retention
group by cohort_type, cohort, weeks_since
having count(*) > 1
