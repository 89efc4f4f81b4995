"""The HTTP interface: middleware, errors, limits, identity and routes."""
