"""Routes of what a user interface shows first: the catalogue of requests and the desk."""
