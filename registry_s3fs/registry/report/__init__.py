"""A registry's contents as one page of HTML, made of an inventory's tables."""
