"""What a filesystem is made from: parameters, checked once at the door, and where they come from."""
