"""Values and rules, which need nothing but the standard library."""
