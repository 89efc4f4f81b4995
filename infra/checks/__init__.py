"""Checks of the synthesised templates; `python -m infra.checks` runs all of them."""
