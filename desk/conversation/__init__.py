"""Turns of a chat: context and evidence of the tools, wishes and their parsers, replies, tables and feedback."""
