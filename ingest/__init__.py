"""HTTP -> event log -> Parquet. Knows nothing of Dagster or DuckDB."""
