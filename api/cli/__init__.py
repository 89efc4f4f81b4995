"""The command line: options, output and commands."""
