"""Compares registry_s3fs with its peers, side by side in one run: ``make bench``, or ``python -m benchmarks --help``."""
