"""The search of one plan: proposal, evaluation and storage of trials, and the stopping rule."""
