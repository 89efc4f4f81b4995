"""Recording of runs into cassettes, and replay without a network; no command line."""
