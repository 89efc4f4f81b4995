"""Hostnames and addresses that only this machine can connect to."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")
