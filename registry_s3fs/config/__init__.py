"""What a filesystem is made from: parameters, which are checked once, and the places that they come from."""
