"""The embedded planner as the assistant: `language/` parses messages, `declines` says what the desk cannot do."""
