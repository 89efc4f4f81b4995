"""Base of every type that crosses a process or a model boundary, and its digest."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Base of every type that crosses a process or a model boundary: immutable, closed, finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def digest_of(model: BaseModel, *, empty: bool = True) -> str:
    """SHA-256 of the canonical JSON of `model`: sorted keys, no spaces, shortest exact floats; nulls if `empty`."""
    content = json.dumps(model.model_dump(mode="json", exclude_none=not empty), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
