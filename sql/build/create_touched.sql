-- The keys that a build computes anew; empty until the new events are in.
create or replace temp table new_files (raw_file varchar);
create or replace temp table touched_sessions (user_id varchar, session_id varchar, session_number bigint);
create or replace temp table touched_users (user_id varchar)
