"""Figures (numbers with unit and source) and tables of figures; `guard` rejects texts with any other number."""
