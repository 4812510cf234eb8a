-- The keys that a build computes anew; empty until the new events are in. Of a new file, the
-- offsets in loaded_before are in already, from files that it replaces or overlaps.
create or replace temp table new_files (raw_file varchar);
create or replace temp table loaded_before (raw_file varchar, first_offset bigint, last_offset bigint);
create or replace temp table touched_sessions (user_id varchar, session_id varchar, session_number bigint);
create or replace temp table touched_weeks (user_id varchar, week_start date);
create or replace temp table touched_users (user_id varchar);
create or replace temp table touched_calendar_weeks (week_start date)
