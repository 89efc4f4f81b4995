"""Routes of saved strategies and scenarios."""
