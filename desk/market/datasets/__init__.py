"""Imported data sets of an owner: ingestion, immutable versions, markers, freshness and events."""
