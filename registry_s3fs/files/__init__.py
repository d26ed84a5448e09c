"""Files that are open: for reading, for writing, and the layers above them."""
