"""Checks of an installation and of its stored work, for the command `doctor`."""
