"""Persistent storage: the ports `records`, `events`, `blobs` and `queue`, and their adapters; no domain rule.

`sqlite/` and `local_files` store on one machine, `aws/` and `object_storage` on AWS. `Store` bundles the ports.
"""
