"""The embedded planner: a rule-based chat model that needs no account and no network; `language/` parses messages."""
