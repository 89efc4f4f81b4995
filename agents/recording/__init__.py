"""Cassettes: recording, replaying and scrubbing of Amazon Bedrock calls."""
