"""Exponential backoff with full jitter, under one deadline."""

import asyncio
import random
import time

from store.errors import Unavailable

RETRY_SECONDS = 20.0
"""For how long a call is retried by default."""


class Backoff:
    """Pauses of random length under a growing maximum, until `seconds` have passed."""

    def __init__(self, seconds: float, longest: float) -> None:
        self._end = time.monotonic() + seconds
        self._longest = longest
        self._pause = 0.01

    async def wait(self, unavailable: Unavailable) -> None:
        """Sleep before the next attempt; raise `unavailable` if the deadline would pass."""
        self._pause = min(2 * self._pause, self._longest)
        pause = random.uniform(0, self._pause)  # noqa: S311 - spreads retries, hides nothing
        if time.monotonic() + pause > self._end:
            raise unavailable
        await asyncio.sleep(pause)
