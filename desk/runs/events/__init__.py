"""Trace events of a run: one class per kind, with its line and its row; `table` lists all kinds."""
