-- Until the view is dropped, the table's name means its rows of touched sessions alone.
create or replace temp view {table} as
select *
from "{catalog}".main.{table}
where
    rowid in (
        select rowid from "{catalog}".main.{table} semi join all_touched_sessions using (user_id, session_id)
    )
