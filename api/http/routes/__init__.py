"""One module for each area of the HTTP interface."""
