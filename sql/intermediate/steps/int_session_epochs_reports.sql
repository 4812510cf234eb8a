-- grain: one row per window on the grid, and per final report that has stages, of a touched session
-- rebuild by: step
-- What was reported of stages: the epochs from first_epoch on, epoch_count of them, and by which revision.
select
    touched_sessions.session_number,
    false as is_final,
    int_windows.first_epoch,
    int_windows.epoch_count,
    int_windows.revision::bigint as revision,
    coalesce(int_windows.inference_seq_num, -1)::bigint as block,
    stg_events.sleep_stages,
    stg_events.snoring_stages,
    stg_events.breath_stages
from int_windows
inner join touched_sessions using (user_id, session_id)
inner join stg_events using (log_id, log_partition, log_offset)
where int_windows.is_on_grid
union all
-- the final report is the newest revision of all, also where a window arrives after it
select
    touched_sessions.session_number,
    true as is_final,
    0::bigint as first_epoch,
    len(stg_events.sleep_stages) as epoch_count,
    (1::bigint << 24) - 1 as revision,
    -1::bigint as block,
    stg_events.sleep_stages,
    stg_events.snoring_stages,
    stg_events.breath_stages
from int_session_reports as reports
inner join touched_sessions using (user_id, session_id)
inner join
    int_session_events as events
    on events.user_id = reports.user_id
    and events.session_id = reports.session_id
    and events.receipt_id = reports.stages_receipt_id
inner join stg_events using (log_id, log_partition, log_offset)
