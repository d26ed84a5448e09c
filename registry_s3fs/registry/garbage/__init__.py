"""The garbage of a registry: what its own collector would delete, what may be deleted, and what the difference is."""
