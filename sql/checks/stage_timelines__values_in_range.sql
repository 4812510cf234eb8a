-- severity: block
-- Stages are -1 to 3, flags 0 or 1, and what a final report made has no gap.
select user_id, session_id
from int_session_epochs
where
    list_min(stages) < -1
    or list_max(stages) > 3
    or list_min(first_stages) < -1
    or list_max(first_stages) > 3
    or list_min(snoring) < 0
    or list_max(snoring) > 1
    or list_min(breath) < 0
    or list_max(breath) > 1
    or list_count(stages) < len(stages)
    or (is_final and list_count(first_stages) < len(first_stages))
