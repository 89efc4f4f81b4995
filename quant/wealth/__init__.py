"""Simulated wealth of a portfolio with cash flows, fees and inflation."""
