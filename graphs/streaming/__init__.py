"""Followers of live event logs, and WebSocket connections held by a gateway."""
