"""Statistics of one return series: growth, ratios, drawdowns, calendar returns, tearsheet."""
