"""Answers to questions about a result, in sentences: one module per subject."""
