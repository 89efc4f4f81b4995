"""Exit codes of the commands."""

DONE, FAULT, USER_ERROR, WAITING, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141
"""WAITING: a run waits for an approval that this terminal cannot give."""
