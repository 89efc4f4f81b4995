"""Jobs: runs in a queue, fairness between owners, workers, and runs computed elsewhere."""
