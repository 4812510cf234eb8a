-- severity: warn
-- Nobody sleeps longer than in bed, and what the vendor says of shares and scores is between 0 and 100.
select user_id, session_id
from sessions
where
    sleep_efficiency_pct > 100
    or missing_data_ratio not between 0
    and 1
    or vendor_sleep_index not between 0
    and 100
    or vendor_sleep_efficiency_pct not between 0
    and 100
    or least(
        vendor_time_in_bed_seconds,
        vendor_time_in_sleep_seconds,
        vendor_sleep_latency_seconds,
        vendor_waso_count,
        vendor_longest_waso_seconds
    )
    < 0
