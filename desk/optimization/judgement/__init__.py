"""From finished trials to a verdict: finalists, benefit, luck, sensitivity and verification."""
