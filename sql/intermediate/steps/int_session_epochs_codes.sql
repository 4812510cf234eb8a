-- grain: one row per row of int_session_epochs_reports, and one more per session without a final report
-- rebuild by: step
-- Every report of an epoch as one integer, which holds from the high bits to the low: epoch (bit 44 on),
-- revision (20), block + 1 (8), breath + 1 (6), snoring + 1 (4), stage + 2 (0). Sorted, the reports of one
-- epoch stand side by side, the newest last.
with
    -- where a value is longer or shorter than an epoch, the one in the middle of the epoch counts
    stretched as (
        select
            session_number,
            session_epoch_count,
            first_epoch,
            epoch_count,
            (revision << 20) | ((block + 1) << 8) as report_code,
            case
                when len(sleep_stages) = epoch_count
                then [sleep_stages, snoring_stages, breath_stages]
                else
                    list_transform(
                        [sleep_stages, snoring_stages, breath_stages],
                        lambda list_of_values:list_transform(
                            range(epoch_count),
                            lambda i:list_of_values[
                                1 + floor((i + 0.5) * len(sleep_stages) / epoch_count)::integer
                            ]
                        )
                    )
            end as arrays
        from int_session_epochs_reports
        inner join int_session_epochs_lengths using (session_number)
    )

select
    session_number,
    list_transform(
        range(greatest(0, - first_epoch), least(epoch_count, session_epoch_count - first_epoch)),
        lambda i: ((first_epoch + i) << 44)
        | report_code
        | ((coalesce(arrays[3][i + 1], -1) + 1)::bigint << 6)
        | ((coalesce(arrays[2][i + 1], -1) + 1)::bigint << 4)
        | (coalesce(arrays[1][i + 1], -1) + 2)::bigint
    ) as codes
from stretched
union all
-- a report that nobody made, of stage 0: it keeps the place of an epoch that no window covers
select session_number, list_transform(range(session_epoch_count), lambda i:i << 44) as codes
from int_session_epochs_lengths
where not has_final
