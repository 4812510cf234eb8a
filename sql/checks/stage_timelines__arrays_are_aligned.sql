-- severity: block
-- All arrays of a session have one value per epoch.
select user_id, session_id
from int_session_epochs
where
    len(stages) = 0
    or len(stages) <> len(first_stages)
    or len(stages) <> len(revisions)
    or len(stages) <> coalesce(len(snoring), len(stages))
    or len(stages) <> coalesce(len(breath), len(stages))
    or len(stages) <> coalesce(len(inference_seq_nums), len(stages))
