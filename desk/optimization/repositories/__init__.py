"""Trials, results and the ledger of all trials in the store."""
