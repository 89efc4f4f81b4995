"""Tear sheets: the statistics, tables and series of one return series, from a file, a portfolio or a run."""
