"""The spool: what the event log does not take in time, made durable on this machine until it does."""
