"""Adapters of the store's ports on one SQLite file."""
