"""AWS Lambda: runtime client, event types, HTTP and WebSocket events."""
