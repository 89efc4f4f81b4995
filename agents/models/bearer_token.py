"""The bearer token of Bedrock, where a setting refers to it: read again when Bedrock refuses it."""

import time
from threading import Lock
from typing import Any

from botocore.client import BaseClient
from botocore.session import Session
from botocore.tokens import FrozenAuthToken

from agents.models.options import Secret

REFUSED = (401, 403)
RENEWAL_SECONDS = 60.0
"""Between two readings of the secret: a status of 403 may have other reasons, such as a model without access."""


class BearerToken:
    """The token provider of a botocore session, which asks for the token at each request."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._lock = Lock()
        self._value = secret.read()
        self._renewed_at = self._changed_at = -RENEWAL_SECONDS

    def load_token(self, **_: object) -> "BearerToken":
        return self

    def get_frozen_token(self) -> FrozenAuthToken:
        return FrozenAuthToken(self._value)

    def attach(self, session: Session) -> None:
        session.register_component("token_provider", self)

    def renew_on_refusal(self, client: BaseClient) -> None:
        client.meta.events.register_first("needs-retry.bedrock-runtime", self._delay_of_retry)

    def _delay_of_retry(self, response: Any, attempts: int, **_: object) -> float | None:
        """0 if the request is to be sent again, with a token that was changed meanwhile."""
        if response is None or response[0].status_code not in REFUSED or attempts > 1:
            return None
        with self._lock:
            now = time.monotonic()
            if now - self._renewed_at >= RENEWAL_SECONDS:
                before, self._value, self._renewed_at = self._value, self._secret.renew(), now
                self._changed_at = now if self._value != before else self._changed_at
            return 0.0 if now - self._changed_at < RENEWAL_SECONDS else None
