"""One plan of a search: which configurations are proposed, evaluated and stored, and when it stops."""
