"""Runs: stored records and states, context of an execution, trace events, progress, decisions and cached answers."""
