"""Simulates a process that dies at one of its writes: its later writes and reads fail."""

from dataclasses import dataclass, replace
from typing import Any

from graphs.dependencies import Dependencies

WRITES = ("append_many", "put", "put_many", "delete", "send", "finish", "submit", "cancel")


class Killed(BaseException):
    """The simulated process is dead."""


@dataclass
class Life:
    remaining_writes: int
    """Number of writes before the process dies."""
    since: str = ""
    """Count from the first write of this kind of record."""

    def dependencies(self, dependencies: Dependencies) -> Dependencies:
        """The dependencies of the simulated process."""
        ports = {name: Mortal(self, getattr(dependencies.store, name)) for name in ("records", "events", "blobs")}
        return replace(
            dependencies,
            store=replace(dependencies.store, **ports),
            queue=Mortal(self, dependencies.queue),
            jobs=Mortal(self, dependencies.jobs),
        )

    def spend(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "put_many" and any(put.key.kind == self.since for put in arguments[0]):
            self.since = ""
        self.remaining_writes -= name in WRITES and not self.since
        self.check()

    def check(self) -> None:
        if self.remaining_writes <= 0:
            raise Killed


class Mortal:
    def __init__(self, life: Life, port: Any) -> None:
        self._life, self._port = life, port

    def __getattr__(self, name: str) -> Any:
        method: Any = getattr(self._port, name)
        if not hasattr(method, "__call__"):  # noqa: B004  (`callable` makes it a function of anything)
            return method

        async def call(*arguments: Any, **options: Any) -> Any:
            self._life.check()
            answer = await method(*arguments, **options)
            self._life.spend(name, arguments)
            return answer

        return call
