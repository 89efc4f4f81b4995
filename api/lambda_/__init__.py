"""AWS Lambda: runtime client, event types, HTTP and WebSocket events; `handler` is for the official Python client."""

from api.lambda_.dispatch import handler as handler
