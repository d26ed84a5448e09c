"""Compares registry_s3fs with its peers, side by side in one run: ``make bench``; ``python -m benchmarks --help``."""
