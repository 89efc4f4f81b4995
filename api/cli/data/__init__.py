"""Price data on the command line: imports, and the check of correlations."""
