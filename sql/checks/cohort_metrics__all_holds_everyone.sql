-- severity: block
-- The cohort of all has every valid night, of each week and of all time.
with
    nights as (
        select week_start, count(*) as nights
        from sessions
        where is_main_sleep and validity = 'valid'
        group by rollup (week_start)
    ),

    told as (select week_start, nights from cohort_metrics where cohort_type = 'all')

select
    coalesce(nights.week_start, told.week_start) as week_start,
    nights.nights as expected,
    told.nights as found
from nights
full join told on nights.week_start is not distinct from told.week_start
where coalesce(nights.nights, 0) <> coalesce(told.nights, 0)
