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
    end;

-- The time of day as an angle: 24 hours are one turn. A mean over angles is the direction of their mean sine
-- and cosine; where these cancel out there is none.
create or replace temp macro day_angle(moment) as 2 * pi() * epoch(moment::time) / 86400;

create or replace temp macro has_direction(sine, cosine) as sqrt(pow(sine, 2) + pow(cosine, 2)) > 1e-9;

create or replace temp macro circular_mean(sine, cosine) as
    case
        when has_direction(sine, cosine)
        then time '00:00:00' + to_seconds(round(atan2(sine, cosine) * 43200 / pi()))
    end;

create or replace temp macro circular_sd_minutes(sine, cosine) as
    case
        when has_direction(sine, cosine)
        then round(sqrt(abs(2 * ln(least(sqrt(pow(sine, 2) + pow(cosine, 2)), 1)))) * 720 / pi(), 4)
    end;

create or replace temp macro circular_distance_minutes(sine, cosine, other_sine, other_cosine) as
    case
        when has_direction(sine, cosine) and has_direction(other_sine, other_cosine)
        then
            round(
                abs(
                    atan2(
                        sine * other_cosine - cosine * other_sine, cosine * other_cosine + sine * other_sine
                    )
                )
                * 720
                / pi(),
                4
            )
    end;

-- Of a figure and how many weeks ago it was: the week's own, its change, and its mean over four weeks. Sums
-- of fractions depend on their order: one order gives one result in every build.
create or replace temp macro this_week(figure, weeks_ago) as any_value(figure) filter (weeks_ago = 0);

create or replace temp macro weekly_change(figure, weeks_ago) as
    round(any_value(figure) filter (weeks_ago = 0) - any_value(figure) filter (weeks_ago = 1), 4);

create or replace temp macro trailing_mean(figure, weeks_ago) as round(avg(figure order by weeks_ago), 4);

-- Over the users of a cohort, one value each; of fewer than five users nothing is told.
create or replace temp macro cohort_mean(figure) as
    case when count(*) >= 5 then round(avg(figure order by figure), 4) end;

create or replace temp macro cohort_sd(figure) as
    case when count(*) >= 5 then round(stddev_samp(figure order by figure), 4) end;

create or replace temp macro cohort_quantile(figure, share) as
    case when count(*) >= 5 then round(quantile_cont(figure, share), 4) end;

create or replace temp macro cohort_night_mean(figure_sum, nights) as
    case when count(*) >= 5 then round(sum(figure_sum) / sum(nights), 4) end
