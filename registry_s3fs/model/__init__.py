"""Values and rules, by the standard library alone."""
