-- severity: block
-- Fewer than five users show no figure; all others show every one.
with
    figures as (
        select
            cohort_type,
            cohort,
            week_start,
            users,
            is_small,
            [*columns('_(mean|median|sd|p25|p75)$')] as all_figures
        from cohort_metrics
    )

select cohort_type, cohort, week_start, users
from figures
where
    is_small <> (users < 5)
    or len(all_figures) <> 42
    or list_count(all_figures) <> case when is_small then 0 else 42 end
