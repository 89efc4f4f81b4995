"""The numeric core: arrays in, arrays out; no model, no cloud, no web, no files."""
