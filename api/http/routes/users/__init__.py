"""Routes of the signed-in user and of sign-in."""
