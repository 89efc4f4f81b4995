"""Strategy templates, saved strategies, and the immediate evaluation of one configuration."""
