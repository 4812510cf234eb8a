"""Tests of the models, the build, publishing and what Dagster makes of them."""
