"""Where a search runs: adapters of the job port of `desk.optimization`, and the real-time endpoint."""
