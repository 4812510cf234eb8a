-- grain: one row per user_id, session_id that has at least one reported epoch
-- rebuild by: session
-- The hypnogram of each session after all revisions, as arrays with one value per 30-s epoch from the start.
-- Every report of an epoch becomes one integer, which holds from the high bits to the low: epoch (bit 44 on),
-- revision (20), block + 1 (8), breath + 1 (6), snoring + 1 (4), stage + 2 (0). Sorted in a list per session,
-- the reports of an epoch stand side by side, the newest last: no group per epoch, and so little memory.
with
    windows as (
        select
            touched_sessions.session_number,
            false as is_final,
            int_windows.first_epoch,
            int_windows.epoch_count,
            int_windows.revision::bigint as revision,
            coalesce(int_windows.inference_seq_num, -1)::bigint as block,
            stg_events.sleep_stages,
            stg_events.snoring_stages,
            stg_events.breath_stages
        from int_windows
        inner join touched_sessions using (user_id, session_id)
        inner join stg_events using (log_id, log_partition, log_offset)
        where int_windows.is_on_grid
    ),

    -- the final report is the newest revision of all, also where a window arrives after it
    finals as (
        select
            touched_sessions.session_number,
            true as is_final,
            0::bigint as first_epoch,
            len(stg_events.sleep_stages) as epoch_count,
            (1::bigint << 24) - 1 as revision,
            -1::bigint as block,
            stg_events.sleep_stages,
            stg_events.snoring_stages,
            stg_events.breath_stages
        from int_session_reports as reports
        inner join touched_sessions using (user_id, session_id)
        inner join
            int_session_events as events
            on events.user_id = reports.user_id
            and events.session_id = reports.session_id
            and events.receipt_id = reports.stages_receipt_id
        inner join stg_events using (log_id, log_partition, log_offset)
    ),

    reports as (
        select *
        from windows
        union all
        select *
        from finals
    ),

    -- a final report also says how long the session was; without one the last window does
    lengths as (
        select
            session_number,
            bool_or(is_final) as has_final,
            coalesce(
                max(epoch_count) filter (is_final), max(first_epoch + epoch_count)
            ) as session_epoch_count
        from reports
        group by session_number
    ),

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
        from reports
        inner join lengths using (session_number)
    ),

    coded as (
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
        from lengths
        where not has_final
    ),

    sorted as (
        select session_number, list_sort(flatten(list(codes))) as codes from coded group by session_number
    ),

    kept as (
        select
            session_number,
            has_final,
            case
                when has_final
                then codes
                else
                    list_filter(
                        codes, lambda code, i:code & 15 > 0 or codes[i + 1] >> 44 is distinct from code >> 44
                    )
            end as codes
        from sorted
        inner join lengths using (session_number)
    ),

    -- where in the list the reports of each epoch end, and where they begin; beyond its end there is null
    ended as (
        select
            *,
            list_filter(
                range(1, len(codes) + 1), lambda i:codes[i + 1] >> 44 is distinct from codes[i] >> 44
            ) as lasts
        from kept
    ),

    begun as (
        select
            *,
            range(1, len(lasts) + 1) as epochs,
            list_prepend(1, list_transform(lasts[:-2], lambda i:i + 1)) as firsts
        from ended
    ),

    hypnograms as (
        select
            session_number,
            has_final as is_final,
            list_transform(lasts, lambda i: (greatest(codes[i] & 15, 1) - 2)::tinyint) as stages,
            list_transform(firsts, lambda i: (nullif(codes[i] & 15, 0) - 2)::tinyint) as first_stages,
            list_transform(
                epochs,
                lambda n:len(
                    list_filter(range(firsts[n], lasts[n]), lambda i:codes[i] & 15 <> codes[i + 1] & 15)
                )::usmallint
            ) as revisions,
            -- an array that is null revises nothing: the newest report that has a value counts
            list_transform(
                epochs, lambda n:list_filter(range(firsts[n], lasts[n] + 1), lambda i:codes[i] & 48 > 0)[-1]
            ) as snoring_places,
            list_transform(
                epochs, lambda n:list_filter(range(firsts[n], lasts[n] + 1), lambda i:codes[i] & 192 > 0)[-1]
            ) as breath_places,
            -- the newest window, which the final report comes after
            list_transform(
                epochs,
                lambda n: case
                    when not has_final then lasts[n] when lasts[n] > firsts[n] then lasts[n] - 1
                end
            ) as window_places,
            codes
        from begun
    ),

    answered as (
        select
            * exclude (codes, snoring_places, breath_places, window_places),
            list_transform(snoring_places, lambda i: (((codes[i] >> 4) & 3) - 1)::tinyint) as snoring,
            list_transform(breath_places, lambda i: (((codes[i] >> 6) & 3) - 1)::tinyint) as breath,
            list_transform(
                window_places, lambda i: (nullif((codes[i] >> 8) & 4095, 0) - 1)::smallint
            ) as inference_seq_nums
        from hypnograms
    )

select
    touched_sessions.user_id,
    touched_sessions.session_id,
    is_final,
    stages,
    first_stages,
    revisions,
    case when list_count(snoring) > 0 then snoring end as snoring,
    case when list_count(breath) > 0 then breath end as breath,
    case when list_count(inference_seq_nums) > 0 then inference_seq_nums end as inference_seq_nums
from answered
inner join touched_sessions using (session_number)
