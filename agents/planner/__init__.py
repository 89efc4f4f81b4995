"""The embedded planner as the assistant: `language/` parses messages, the sentences describe tool results."""
