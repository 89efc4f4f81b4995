"""Prices in and out: sources, quotes and regimes; not how a request splits or evaluates them."""
