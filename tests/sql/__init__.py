"""Tests of what the SQL of the warehouse says, on the real build."""
