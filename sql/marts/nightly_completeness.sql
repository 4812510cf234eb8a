-- grain: one row per user_id, sleep_date, from the first to the last night seen of each user
-- rebuild by: view
-- Why a night is missing or partial: what was expected of its main sleep, and what came. The reason is the
-- first that holds, in this order. Of a date without a session: quarantined, no_session. Of one with a
-- session: still_open, quarantined, abandoned, too_short, final_missing, never_slept, windows_missing,
-- complete. Whether the night counts, validity says. Over 400 days without a session are left out; a night
-- of which only a body came that was set aside is in, also before the first and after the last.
-- columns:
-- user_id: the customer's user
-- sleep_date: the night, by the local date of waking up
-- reason: in one word. no_session: nothing came of this date. still_open: no final report yet, and the
-- silence is not long enough to give up. quarantined: something is missing, and a body that could be it was
-- set aside (see quarantined_events). abandoned: a long silence without a final report. too_short: under 5
-- minutes. final_missing: the final report came without stages, or the user's next session began before any
-- came. never_slept: all is here, and nobody slept. windows_missing: the report is whole, and some 5-minute
-- windows never came. complete: nothing is missing
-- session_id: the main sleep of the date; null without one
-- sessions: sessions of the date, naps among them
-- state: state of the main sleep: in_progress, complete, abandoned
-- validity: valid, or why it stays out of averages
-- started_at: instant (UTC) at which it started
-- ended_at: instant (UTC) at which it ended, as far as known
-- windows_expected: 5-minute windows that its span should have brought: one for every full five minutes
-- windows_received: how many of these came, in windows of any length
-- missing_windows: numbers (0-based, counted from the start) of those that no window covers
-- inference_events: windows that came and count, of any length
-- duplicate_events: events that repeat an earlier one
-- revisions: how often a later window or the final report changed the stage of an epoch, over all epochs
-- windows_after_report: windows that arrived after the first final report, and changed nothing
-- window_delay_seconds_median: middle delay of its windows: seconds from the end of a window's last epoch to
-- its arrival; null where the start of the session is itself taken from arrivals
-- window_delay_seconds_max: the longest of these delays, in seconds
-- has_final_report: whether a final report came
-- has_final_stages: whether one came with stages, so that no window is needed
-- final_reports: how many came that count; the latest wins
-- report_delay_seconds: seconds from the session's end to the arrival of its first final report
-- quarantined_bodies: bodies of the main sleep (without a session: of the user, from 18:00 of the evening
-- before) that were set aside and that nothing sent later stands for
with
    nights as (
        select
            tonight.*,
            sessions.* exclude (user_id, session_id, sleep_date),
            windows.* exclude (user_id, session_id),
            case when state is not null then stages_receipt_id is not null end as has_final_stages
        from nightly_completeness_nights as tonight
        left join sessions using (user_id, session_id)
        left join int_session_completeness as windows using (user_id, session_id)
    )

select
    user_id,
    sleep_date,
    case
        when session_id is null
        then case when quarantined_bodies > 0 then 'quarantined' else 'no_session' end
        when state = 'in_progress' and next_started_at is null
        then 'still_open'
        when quarantined_bodies > 0 and (not has_final_stages or windows_received < windows_expected)
        then 'quarantined'
        when state = 'abandoned'
        then 'abandoned'
        when validity = 'too_short_for_analysis'
        then 'too_short'
        when not has_final_stages
        then 'final_missing'
        when validity = 'never_slept'
        then 'never_slept'
        when windows_received < windows_expected
        then 'windows_missing'
        else 'complete'
    end as reason,
    session_id,
    sessions,
    state,
    validity,
    started_at,
    ended_at,
    windows_expected,
    windows_received,
    missing_windows,
    inference_events,
    duplicate_events,
    revisions,
    windows_after_report,
    window_delay_seconds_median,
    window_delay_seconds_max,
    final_reports > 0 as has_final_report,
    has_final_stages,
    final_reports,
    report_delay_seconds,
    quarantined_bodies
from nights
