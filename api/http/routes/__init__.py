"""One module for each area of the HTTP interface; `api.app` registers each with its permissions."""
