"""Shards: how a simulation is cut into pieces, stored and merged."""
