-- grain: one row per log_id, topic, log_partition
-- rebuild by: all
-- The newest nightly proof that every offset of the event log is in exactly one landed file. Counts are of
-- offsets, but for files and rows.
-- columns:
-- log_id: identity of the event log
-- topic: topic of the event log
-- log_partition: partition of the topic
-- log_first_offset: oldest offset that the log still had; null for a log that is no longer the one in use
-- log_end_offset: one past the newest offset of the log; null as above
-- first_landed: first landed offset; null where nothing is landed
-- last_landed: last landed offset; null where nothing is landed
-- file_count: landed files
-- superfluous_file_count: of those, files whose rows are all in others; the next compaction removes them
-- row_count: rows that count
-- without_row_count: inside files, but the log had no record there
-- lost_count: the log dropped them before they were landed
-- retired_count: removed for their age, after they were loaded
-- missing_count: in no file, and in no record of what is lost or retired; always 0 unless files were removed
-- twice_count: in more than one file; one of them counts
-- not_yet_landed_count: in the log, and still before the lander
-- problems: what is wrong, in words
-- proved_at: instant (UTC) of the proof
select
    log_id,
    topic,
    "partition" as log_partition,
    log_first_offset,
    log_end_offset,
    first_landed,
    last_landed,
    files as file_count,
    superfluous as superfluous_file_count,
    "rows" as row_count,
    without_row as without_row_count,
    lost as lost_count,
    retired as retired_count,
    missing as missing_count,
    twice as twice_count,
    not_yet_landed as not_yet_landed_count,
    problems,
    proved_at
from stg_landing_proof
