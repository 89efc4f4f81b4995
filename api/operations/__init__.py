"""Logs, metrics, telemetry, readiness and the installation check."""
