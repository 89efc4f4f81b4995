"""The check that a text contains no number except references to figures, and the reading of numbers in text."""
