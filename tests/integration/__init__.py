"""Tests with real processes, files and brokers."""
