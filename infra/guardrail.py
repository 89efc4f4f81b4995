"""What the guardrail of Bedrock does: filters of content, of instructions in texts, and of secrets."""

import hashlib
import json
from collections.abc import Mapping, Sequence

REFUSAL = "This request cannot be answered here."
FILTERS = {
    **dict.fromkeys(("HATE", "INSULTS", "MISCONDUCT", "SEXUAL", "VIOLENCE"), ("MEDIUM", "MEDIUM")),
    "PROMPT_ATTACK": ("MEDIUM", "NONE"),
}
"""Strength of each filter for texts that a model gets, and for those that it writes."""
SECRETS = ("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "PASSWORD")


def digest(filters: Mapping[str, Sequence[str]], secrets: Sequence[str], refusal: str) -> str:
    content = json.dumps([filters, sorted(secrets), refusal], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
