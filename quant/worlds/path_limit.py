"""Memory for drawn paths; apart from `quant.worlds.path_store`, so that an estimate imports no compiler."""

LIMIT = 128 * 2**20
"""Bytes that a store keeps by default: the paths of five scenarios of 2,000 paths and five years."""
