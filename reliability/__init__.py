"""Shows what becomes of data when S3 fails: ``make faults``; ``python -m reliability --help``."""
