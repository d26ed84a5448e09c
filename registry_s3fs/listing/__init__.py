"""Keys as a tree: directories, walks, patterns, and one key space listed in parallel parts."""
