"""The state graphs, and the packages that execute, store and stream their runs."""
