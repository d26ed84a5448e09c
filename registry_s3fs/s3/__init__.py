"""What knows S3's wire."""
