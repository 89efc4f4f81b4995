"""Names of this machine that no other one can reach it by."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")
