"""Files open for reading or writing, and the text and compression layers above them."""
