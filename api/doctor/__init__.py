"""Checks of an installation, which `python -m api doctor` runs: environment, services, store and queue."""
