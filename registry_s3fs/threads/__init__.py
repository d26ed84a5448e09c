"""Threads: what they do in the background, and what becomes of them in a forked process."""
