-- grain: one row per receipt_id of a session
-- rebuild by: view
-- The events of every session: which count, which epochs each told of, and where its bytes are kept: the
-- link between a row of sessions or stage_timelines and the raw files, in both directions. An epoch's stage
-- is from the final report that made the stages, else from the window with the highest revision over it. A
-- raw file may have been merged into a larger one since: the log's offset still finds the record.
-- columns:
-- user_id: the customer's user; with session_id the key of the session
-- session_id: the session, unique within its user only
-- receipt_id: the receipt given in the webhook's answer
-- event: INFERENCE_COMPLETE or SESSION_COMPLETE
-- received_at: instant (UTC) at which it arrived
-- event_at: the event's own timestamp; null where it has none
-- inference_seq_num: 5-minute block number of a window; null where it has none
-- is_counted: whether it counts; a copy of an earlier event does not
-- duplicate_of_receipt_id: of a duplicate, the receipt of the first such event to arrive
-- revision: 1 for the oldest of its kind in the session that counts; a higher one wins
-- made_the_row: whether it is the final report that sessions.raw_receipt_id names
-- made_the_stages: whether it is the final report that the stages come from
-- first_epoch_index: first epoch that it tells of, 0-based; below 0 where a window began before the session;
-- null where it tells of none that could count: its place is impossible, it is a copy, or another report
-- made the stages
-- epoch_count: epochs of 30 s that it tells of
-- raw_file: the landed file that held it when it was loaded, below the raw folder
-- log_id: the log that holds it
-- log_topic: its topic there
-- log_partition: its partition there
-- log_offset: its offset there
select
    events.user_id,
    events.session_id,
    events.receipt_id,
    events.event,
    events.received_at,
    staged.event_at,
    staged.inference_seq_num,
    events.is_counted,
    events.duplicate_of_receipt_id,
    case when events.is_counted then events.revision end as revision,
    coalesce(events.receipt_id = reports.final_receipt_id, false) as made_the_row,
    coalesce(events.receipt_id = reports.stages_receipt_id, false) as made_the_stages,
    case
        when windows.is_on_grid
        then windows.first_epoch
        when events.receipt_id = reports.stages_receipt_id
        then 0
    end::integer as first_epoch_index,
    case
        when windows.is_on_grid
        then windows.epoch_count
        when events.receipt_id = reports.stages_receipt_id
        then len(staged.sleep_stages)
    end::integer as epoch_count,
    staged.raw_file,
    events.log_id,
    'asleep.events' as log_topic,
    events.log_partition,
    events.log_offset
from int_session_events as events
inner join stg_events as staged using (log_id, log_partition, log_offset)
inner join
    int_session_reports as reports
    on reports.user_id = events.user_id
    and reports.session_id = events.session_id
left join int_windows as windows using (log_id, log_partition, log_offset)
