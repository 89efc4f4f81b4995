"""Tests of a selection: probability of overfitting, superior predictive ability, cross-validation."""
