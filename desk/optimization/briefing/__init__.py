"""Results of the agents' tools: risk on the training window, regime, scenarios, and state of the search."""
