"""The receiver's numbers, for Prometheus."""
