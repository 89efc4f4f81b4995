"""Portfolios of an owner, their risk, and ways to allocate between assets."""
