"""Errors of the HTTP interface: one envelope, and the handlers that produce it."""
