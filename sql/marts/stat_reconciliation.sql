-- grain: one row per user_id, session_id, metric that the vendor gave a value for
-- rebuild by: view
-- Each of the vendor's statistics beside ours, in one unit and by the vendor's own definition (its library
-- pysleep), so that what differs is data and not words. Of sleep_index, breathing_index and
-- breathing_pattern there is no definition to compare with. Filter by user and session.
-- columns:
-- user_id: the customer's user; with session_id and metric the key
-- session_id: the session, unique within its user only
-- sleep_date: the night
-- is_of_the_report: whether the stages come from a final report, as the vendor's statistics do; else windows
-- stand in, and differ by what they miss
-- metric: the vendor's field in stat; sleep_time_duration is sleep_time where it came as a duration
-- unit: of both values and the difference: seconds, percent, count
-- vendor_value: what the vendor says, in that unit
-- our_value: what the epochs give by the vendor's definition; null where they give none
-- difference: vendor_value - our_value
-- tolerance: how far apart they may be: a second for rounded times, half a percent for ratios of two digits,
-- 2.5 percent for shares that are shifted until they add up, one epoch where the definition is not published
-- is_within_tolerance: whether they agree; false where the vendor has a value and the epochs give none; null
-- where the session has nothing to compute ours from
-- definition: what is compared, and how it differs from the column of sessions
select
    user_id,
    session_id,
    sleep_date,
    stages_receipt_id is not null as is_of_the_report,
    metric,
    unit,
    vendor_value,
    our_value,
    round(vendor_value - our_value, 4) as difference,
    tolerance::double as tolerance,
    case
        when
            case
                needs
                when 'span'
                then has_span
                when 'snoring'
                then has_snoring
                when 'breath'
                then has_breath
                else has_stages
            end
        then coalesce(abs(vendor_value - our_value) <= tolerance + 0.0001, false)
    end as is_within_tolerance,
    definition
from int_stat_values
inner join int_stat_definitions using (metric)
