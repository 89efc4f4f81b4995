"""Authentication: local user, API keys, access tokens, tickets, and their revocation."""
