"""The main job, shown: a registry in S3 opened as a filesystem. Run by ``make demo``."""
