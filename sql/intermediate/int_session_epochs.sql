-- grain: one row per user_id, session_id that has at least one reported epoch
-- rebuild by: session
-- The hypnogram of each session after all revisions, as arrays with one value per 30-s epoch from the start.
with
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
        from int_session_epochs_sorted
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
