"""Recording runs into cassettes, and replaying them without a network."""
