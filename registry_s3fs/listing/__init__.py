"""Keys as a tree: directories, walks and patterns, and listings that are split into key ranges."""
