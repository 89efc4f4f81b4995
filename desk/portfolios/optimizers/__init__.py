"""The portfolio optimizers: risk parity, hierarchical risk parity, frontier; requests, responses, storage."""
