"""Parsing of uploaded price files into tables and bars; not their quality checks."""
