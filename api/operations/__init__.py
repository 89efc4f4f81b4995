"""Logs, metrics, telemetry, readiness and audit entries of a process."""
