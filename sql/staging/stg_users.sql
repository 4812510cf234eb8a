-- grain: one row per user_id of the users file
-- rebuild by: all
-- The users file, typed. A value that can not be read, or be true, is null here and still stands in
-- attributes; a line that is too short or too long is read as far as it goes.
with
    rows_of_file as (
        select
            nullif(trim(users_file_line.user_id), '') as user_id,
            try_cast(users_file_line.birth_year as integer) as birth_year,
            lower(nullif(trim(users_file_line.gender), '')) as gender,
            nullif(trim(users_file_line.timezone), '') as timezone,
            case
                when
                    try_cast(users_file_line.signup_date as date)
                    between date '1900-01-01' and date '2100-01-01'
                then try_cast(users_file_line.signup_date as date)
            end as signup_date,
            -- a merge leaves out the columns without a value
            json_merge_patch('{}', to_json(users_file_line))::varchar as attributes
        from
            read_csv(
                $users_files,
                all_varchar = true,
                header = true,
                delim = ',',
                quote = '"',
                escape = '"',
                comment = '',
                null_padding = true,
                strict_mode = false,
                parallel = false,
                union_by_name = true
            ) as users_file_line
    )

select *
from rows_of_file
where user_id is not null
qualify row_number() over (partition by user_id order by attributes desc) = 1
