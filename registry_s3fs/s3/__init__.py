"""The package of everything that knows S3's requests and responses."""
