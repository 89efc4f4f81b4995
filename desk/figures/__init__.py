"""Figures, and the tables made of them; the guard that lets no other number through is in `guard`."""
