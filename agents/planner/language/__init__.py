"""Parses English messages into tool calls with word tables and rules; an unclear message leads to a question."""
