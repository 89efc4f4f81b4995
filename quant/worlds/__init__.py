"""Simulated markets: scenarios, engines, calibration, diagnostics, regimes, bond and cash legs."""
