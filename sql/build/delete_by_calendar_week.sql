delete from {table}
where
    exists (
        select 1
        from touched_calendar_weeks
        where touched_calendar_weeks.week_start is not distinct from {table}.week_start
    )
