-- One chunk of the touched weeks: bounds the memory of a build of any size.
create or replace temp table touched_weeks as
select user_id, week_start
from all_touched_weeks
where week_number >= $first_number and week_number < $first_number + $chunk_size
