"""Portfolio construction: risk parity, hierarchical risk parity, frontier, minimum CVaR, constraints."""
