"""The audit of refused calls."""
