"""The port through which commands reach conversations, and its adapters: the store in STRATIGOS_HOME, and a server."""
