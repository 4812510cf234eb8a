-- severity: block
-- A week is one row.
select week_start, count(*) as copies from weekly_activity group by week_start having count(*) > 1
