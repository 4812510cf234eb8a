-- From one night's epochs to the events that decided them, their receipts, files and offsets, and back
with
    night as (
        select user_id, session_id
        from sessions
        where is_main_sleep and epoch_count > 0
        order by stages_receipt_id is not null, sleep_date desc, user_id
        limit 1
    ),

    -- the newest event over an epoch decides it: a report that made the stages, else the highest revision
    decided as (
        select epochs.epoch_index, events.receipt_id
        from stage_timelines as epochs
        inner join night using (user_id, session_id)
        inner join session_events as events using (user_id, session_id)
        where
            events.is_counted
            and epochs.epoch_index >= events.first_epoch_index
            and epochs.epoch_index < events.first_epoch_index + events.epoch_count
        qualify
            row_number() over (
                partition by epochs.epoch_index order by events.made_the_stages desc, events.revision desc
            )
            = 1
    ),

    epochs_of as (
        select receipt_id, count(*) as epochs, min(epoch_index) as first_epoch
        from decided
        group by receipt_id
    )

-- the files that hold the offsets now; session_events.raw_file is the one that did when it was loaded
select
    events.event,
    events.receipt_id,
    epochs_of.first_epoch,
    epochs_of.epochs,
    files.raw_file,
    events.log_partition,
    events.log_offset
from epochs_of
inner join session_events as events using (receipt_id)
inner join night using (user_id, session_id)
left join
    raw_files as files
    on files.topic = events.log_topic
    and files.log_id = events.log_id
    and files.log_partition = events.log_partition
    and events.log_offset between files.first_offset and files.last_offset
order by epochs_of.first_epoch
limit 5
