delete from {table}
where
    exists (
        select 1
        from touched_weeks
        where
            touched_weeks.user_id = {table}.user_id
            and touched_weeks.week_start is not distinct from {table}.week_start
    )
