"""The guard: checks that a text contains no number except figures; `claims` is its entry point."""
