"""What a model may call, and nothing else: one module per family of `@tool` functions."""
