"""Parquet -> DuckDB, and the command line. Knows nothing of HTTP bodies or Kafka."""
