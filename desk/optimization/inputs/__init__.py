"""Market data of a request: loading, checks, splits, and whether the data can serve the request."""
