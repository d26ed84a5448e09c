"""The command ``registry-s3fs``."""
