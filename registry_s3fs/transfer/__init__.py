"""Transfers between local files and objects."""
