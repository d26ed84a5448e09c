"""Between local files and objects."""
