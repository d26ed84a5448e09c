"""What is in an image's layers, and the bytes of their files, over any fsspec filesystem."""
