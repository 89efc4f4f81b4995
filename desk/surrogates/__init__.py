"""Models of the evaluation, fitted on stored trials: their register, file format and suggestions."""
