"""Executing and storing runs: records, states, leases, event log, approvals, archive and cleanup."""
