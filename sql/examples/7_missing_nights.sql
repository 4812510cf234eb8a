-- Why nights are missing or partial
select
    reason,
    count(*) as nights,
    sum(windows_expected - windows_received) as windows_missing,
    round(median(window_delay_seconds_median)) as window_delay_seconds,
    round(median(report_delay_seconds)) as report_delay_seconds,
    min(session_id) as for_example
from nightly_completeness
group by reason
order by nights desc, reason
