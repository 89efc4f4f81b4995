"""ASGI middleware around all routes, and the audit dependency."""
