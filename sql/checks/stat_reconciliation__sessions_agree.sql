-- severity: warn
-- Of the sessions of the newest 28 nights that a report made, at most 5 in 100 have a statistic of the
-- vendor's that differs from ours beyond its tolerance.
with
    compared as (
        select user_id, session_id, list(metric) filter (not is_within_tolerance) as metrics
        from stat_reconciliation
        where
            is_of_the_report
            and is_within_tolerance is not null
            and sleep_date > (select timezone('UTC', max(last_received_at))::date - 28 from sessions)
        group by user_id, session_id
    )

select user_id, session_id, metrics
from compared
where
    metrics is not null and 100 * (select count(metrics) from compared) > 5 * (select count(*) from compared)
