"""Volatility from ranges and implied indices, and GARCH models."""
