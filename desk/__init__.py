"""The domain: what the desk knows and does, one package per subject; no model, no web, no graph."""
