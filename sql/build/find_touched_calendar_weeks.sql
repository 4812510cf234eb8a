-- A week of everybody's is touched by a changed week of anybody's, and by a user in it who belongs to another
-- cohort than before; all time (null) is touched by any of them.
create or replace temp table touched_calendar_weeks as
with
    new_cohort_keys as (
        select user_id, birth_year, gender, timezone, signup_date, first_night from users
    ),

    moved_users as (
        (
            select *
            from new_cohort_keys
            except
            select *
            from old_cohort_keys
        )
        union
        (
            select *
            from old_cohort_keys
            except
            select *
            from new_cohort_keys
        )
    ),

    touched as (
        select week_start
        from changed_weeks
        union
        select week_start
        from int_user_weeks
        semi join moved_users using (user_id)
    )

select week_start
from touched
where week_start is not null
union
select null
from touched
