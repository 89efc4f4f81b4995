"""Errors, names, owners, clock and code version for every package; nothing of a single domain subject."""
