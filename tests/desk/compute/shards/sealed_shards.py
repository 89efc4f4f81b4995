"""Shards whose checksum fits changed content."""

import hashlib
import json


def replace_body(content: bytes, body: bytes) -> bytes:
    magic, header, _ = content.split(b"\n", 2)
    said = json.loads(header)
    said["sha256"] = hashlib.sha256(b"%d\n" % said["days"] + body).hexdigest()
    return b"\n".join((magic, json.dumps(said).encode(), body))
