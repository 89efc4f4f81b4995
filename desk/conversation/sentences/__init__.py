"""Sentences about the results of tools, chosen by comparisons and by the message; their numbers are references."""
