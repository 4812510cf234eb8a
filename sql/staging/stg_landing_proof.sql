-- grain: one row per log_id, topic, partition
-- rebuild by: all
-- The verdict of the newest nightly proof on the landed files, as it was written down.
select
    log_id,
    topic,
    "partition",
    log_first_offset,
    log_end_offset,
    first_landed,
    last_landed,
    files,
    superfluous,
    "rows",
    without_row,
    lost,
    retired,
    missing,
    twice,
    not_yet_landed,
    problems,
    proved_at
from read_parquet($proof_files)
