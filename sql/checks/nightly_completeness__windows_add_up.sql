-- severity: block
-- Of the windows expected, each was received or is missing.
select user_id, session_id
from int_session_completeness
where
    windows_received + len(missing_windows) <> windows_expected
    or windows_received < 0
    or list_max(missing_windows) >= windows_expected
