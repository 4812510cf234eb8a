-- One chunk of the touched sessions: bounds the memory of a build of any size.
create or replace temp table touched_sessions as
select user_id, session_id, session_number - $first_number as session_number
from all_touched_sessions
where session_number >= $first_number and session_number < $first_number + $chunk_size
