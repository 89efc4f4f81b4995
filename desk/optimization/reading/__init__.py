"""Views of a finished result: its figures, findings, template text, charts, tables and comparisons."""
