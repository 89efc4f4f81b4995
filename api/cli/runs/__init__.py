"""The port through which commands reach runs, and its adapters: the store in STRATIGOS_HOME, and a server."""
