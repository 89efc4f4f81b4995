"""Checkpoints of LangGraph in SQLite or DynamoDB."""
