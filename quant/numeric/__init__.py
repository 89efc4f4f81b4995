"""Returns, argument checks, random numbers, elementary functions and compilation; no finance."""
