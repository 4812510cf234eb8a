-- grain: one row per session_number that has a row in int_session_epochs_reports
-- rebuild by: step
-- All reports of a session as one sorted list of codes; of each epoch, counted from 1, firsts and lasts tell
-- where in the list its reports begin and end. No group per epoch, and so little memory.
with
    sorted as (
        select session_number, list_sort(flatten(list(codes))) as codes
        from int_session_epochs_codes
        group by session_number
    ),

    -- the place of an epoch is given up once a window covers it
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
        inner join int_session_epochs_lengths using (session_number)
    ),

    -- beyond the end of a list there is null
    ended as (
        select
            *,
            list_filter(
                range(1, len(codes) + 1), lambda i:codes[i + 1] >> 44 is distinct from codes[i] >> 44
            ) as lasts
        from kept
    )

select
    session_number,
    has_final,
    codes,
    lasts,
    range(1, len(lasts) + 1) as epochs,
    list_prepend(1, list_transform(lasts[:-2], lambda i:i + 1)) as firsts
from ended
