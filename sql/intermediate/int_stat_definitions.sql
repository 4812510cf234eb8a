-- grain: one row per metric
-- rebuild by: view
-- What a statistic of the vendor's is compared with: by what it is limited, in which unit, how far apart the
-- two may be, and how the vendor's definition (its library pysleep) differs from the column of sessions.
select *
from
    (
        values
            ('time_in_bed', 'span', 'seconds', 1, 'end minus start'),
            (
                'time_in_sleep_period',
                'stages',
                'seconds',
                1,
                'TST and WASO, without unknown epochs; 0 when never slept'
            ),
            ('time_in_sleep', 'stages', 'seconds', 1, 'light, deep and REM'),
            ('time_in_wake', 'stages', 'seconds', 1, 'WASO'),
            ('time_in_light', 'stages', 'seconds', 1, 'the same'),
            ('time_in_deep', 'stages', 'seconds', 1, 'the same'),
            ('time_in_rem', 'stages', 'seconds', 1, 'the same'),
            (
                'sleep_latency',
                'stages',
                'seconds',
                1,
                'the whole session when never slept, where ours is null'
            ),
            ('wakeup_latency', 'stages', 'seconds', 1, '0 when never slept, where ours is null'),
            ('light_latency', 'stages', 'seconds', 1, 'from sleep onset'),
            ('deep_latency', 'stages', 'seconds', 1, 'from sleep onset'),
            ('rem_latency', 'stages', 'seconds', 1, 'from sleep onset'),
            (
                'sleep_time',
                'stages',
                'seconds',
                1,
                'sleep onset in seconds after the start; the end when never slept'
            ),
            ('sleep_time_duration', 'stages', 'seconds', 1, 'time asleep'),
            (
                'wake_time',
                'stages',
                'seconds',
                1,
                'end of sleep, counted back from the end, in seconds after the start'
            ),
            ('sleep_efficiency', 'stages', 'percent', 0.5, 'TST of time in bed'),
            ('sleep_ratio', 'stages', 'percent', 0.5, 'TST of TST and WASO'),
            ('wake_ratio', 'stages', 'percent', 0.5, 'WASO of TST and WASO'),
            ('light_ratio', 'stages', 'percent', 2.5, 'of TST and WASO, where light_pct is of TST'),
            ('deep_ratio', 'stages', 'percent', 2.5, 'of TST and WASO, where deep_pct is of TST'),
            ('rem_ratio', 'stages', 'percent', 2.5, 'of TST and WASO, where rem_pct is of TST'),
            ('waso_count', 'stages', 'count', 0, 'runs of wake inside the sleep period'),
            ('longest_waso', 'stages', 'seconds', 1, 'the longest of these'),
            ('sleep_cycle_count', 'stages', 'count', 0, 'REM clusters'),
            ('sleep_cycle', 'stages', 'seconds', 1, 'mean time from sleep onset to the last cycle'),
            (
                'sleep_cycle_time',
                'stages',
                'seconds',
                1,
                'the end of the last cycle in seconds after the start'
            ),
            (
                'time_in_snoring',
                'snoring',
                'seconds',
                30,
                'inside the sleep period, where ours is of the whole session'
            ),
            ('time_in_no_snoring', 'snoring', 'seconds', 30, 'inside the sleep period'),
            ('snoring_ratio', 'snoring', 'percent', 0.5, 'of the sleep period'),
            ('no_snoring_ratio', 'snoring', 'percent', 0.5, 'of the sleep period'),
            ('snoring_count', 'snoring', 'count', 0, 'runs inside the sleep period'),
            (
                'time_in_unstable_breath',
                'breath',
                'seconds',
                30,
                'inside the sleep period, where ours is of the session'
            ),
            ('time_in_stable_breath', 'breath', 'seconds', 30, 'inside the sleep period'),
            ('unstable_breath_ratio', 'breath', 'percent', 0.5, 'of the sleep period'),
            ('stable_breath_ratio', 'breath', 'percent', 0.5, 'of the sleep period'),
            ('unstable_breath_count', 'breath', 'count', 0, 'runs inside the sleep period')
    ) as definitions(metric, needs, unit, tolerance, definition)
