"""Servers that tests, benchmarks and reliability share."""
