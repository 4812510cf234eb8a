-- grain: one row per user_id, session_id
-- rebuild by: session
-- Which of a session's 5-minute windows came and how late. Block k is epochs 10k to 10k + 9; one is expected
-- for every full five minutes of the session, at most 7 days of them, and has come when any window covers
-- one of its epochs. A delay is counted from the end of the window's last epoch; it is not known where the
-- start of the session is itself taken from arrivals.
with
    sessions as (
        select
            int_sessions.*,
            touched_sessions.session_number,
            divide(least(time_in_bed_seconds, 604800), 300) as windows_expected
        from int_sessions
        inner join touched_sessions using (user_id, session_id)
    ),

    windows as (
        select
            sessions.session_number,
            sessions.report_received_at,
            int_windows.received_at,
            greatest(divide(int_windows.first_epoch, 10), 0) as first_block,
            divide(int_windows.first_epoch + int_windows.epoch_count - 1, 10) as last_block,
            case
                when sessions.started_at_source not in ('sequence_number', 'arrival')
                then
                    epoch(int_windows.received_at)
                    - epoch(sessions.started_at)
                    - 30 * (int_windows.first_epoch + int_windows.epoch_count)
            end as delay_seconds
        from int_windows
        inner join sessions using (user_id, session_id)
        where int_windows.is_on_grid
    ),

    told as (
        select
            session_number,
            list_distinct(flatten(list(range(first_block, last_block + 1)))) as blocks,
            round(median(delay_seconds), 3) as window_delay_seconds_median,
            round(max(delay_seconds), 3) as window_delay_seconds_max,
            count(*) filter (received_at > report_received_at)::integer as windows_after_report
        from windows
        group by session_number
    ),

    counted as (
        select
            sessions.*,
            told.* exclude (session_number),
            len(list_filter(coalesce(blocks, []), lambda block:block < windows_expected)) as windows_received
        from sessions
        left join told using (session_number)
    )

select
    counted.user_id,
    counted.session_id,
    windows_expected::integer as windows_expected,
    windows_received::integer as windows_received,
    case
        when windows_received = windows_expected
        then []::integer[]
        else
            list_filter(
                range(windows_expected), lambda block: not list_contains(coalesce(blocks, []), block)
            )::integer[]
    end as missing_windows,
    coalesce(list_sum(epochs.revisions), 0)::integer as revisions,
    window_delay_seconds_median,
    window_delay_seconds_max,
    round(epoch(report_received_at) - epoch(ended_at), 3) as report_delay_seconds,
    coalesce(windows_after_report, 0) as windows_after_report
from counted
left join int_session_epochs as epochs using (user_id, session_id)
