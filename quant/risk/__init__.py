"""Risk of a portfolio: tail losses, contributions, backtests and stress."""
