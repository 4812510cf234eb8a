-- What counts as a number or a moment in JSON that somebody else wrote: strings, booleans and infinities do
-- not.
create or replace temp macro json_number(value) as
    case
        when json_type(value) in ('UBIGINT', 'BIGINT', 'DOUBLE') and abs(try_cast(value as double)) < 1e9
        then try_cast(value as double)
    end;

create or replace temp macro plausible_instant(value) as
    case
        when
            try_cast(value as timestamptz)
            between timestamptz '2000-01-01 00:00:00+00' and timestamptz '2100-01-01 00:00:00+00'
        then try_cast(value as timestamptz)
    end
