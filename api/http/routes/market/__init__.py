"""Routes of what the market data say."""
