-- grain: one row per user_id, session_id
-- rebuild by: session
-- From when to when a session went, as instants and on the wall clock of its zone: itself and its sleep.
with
    spans as (
        select
            user_id,
            session_id,
            reports.started_at,
            reports.timezone,
            reports.utc_offset_seconds,
            coalesce(
                case when reported_end > started_at then reported_end end,
                started_at + to_seconds(30 * coalesce(epoch_count, 0))
            ) as ended_at,
            started_at + to_seconds(30 * onset_epoch) as sleep_onset_at,
            started_at + to_seconds(30 * wake_epoch) as wake_at,
            started_at + to_seconds(15 * (onset_epoch + wake_epoch)) as midsleep_at
        from int_session_reports as reports
        inner join touched_sessions using (user_id, session_id)
        left join int_session_statistics using (user_id, session_id)
    ),

    localised as (
        select
            *,
            list_transform(
                [started_at, ended_at, sleep_onset_at, wake_at, midsleep_at],
                lambda instant:
                case
                    when utc_offset_seconds is null
                    then timezone(timezone, instant)
                    else timezone('UTC', instant) + to_seconds(utc_offset_seconds)
                end
            ) as local_times
        from spans
    )

select
    user_id,
    session_id,
    ended_at,
    date_diff('second', started_at, ended_at) as time_in_bed_seconds,
    sleep_onset_at,
    wake_at,
    local_times[1] as started_local,
    local_times[2] as ended_local,
    local_times[3] as sleep_onset_local,
    local_times[4] as wake_local,
    local_times[5] as midsleep_local
from localised
