"""What agents are shown: risk on the training window, regime, scenarios, and the state of the search."""
