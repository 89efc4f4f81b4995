"""Executes a run whose agents are driven by Bedrock, until it ends or kills itself at an event that the test names."""

import asyncio
import json
import os
import signal
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from agents.models.factory import make_models
from api.app import create_dependencies
from api.settings import read_model_options, read_settings
from desk.runs.model_answers import KIND
from graphs.jobs.execution import execute
from store.events import Events
from store.records import Put, Records
from store.store import Store
from tests.doubles.bedrock.clients import MODEL, REGION
from tests.graphs.dependencies import OWNER

SETTINGS = {
    "MODEL": f"bedrock_converse:{MODEL}",
    "AWS_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "double",
    "AWS_SECRET_ACCESS_KEY": "double",
    "AWS_EC2_METADATA_DISABLED": "true",
}
STORED_ANSWERS = "stored.jsonl"
"""File in the home: each answer that was passed to the store, one a line."""


class DeadlyEvents:
    """Kills this process at the first new event whose id or kind is in `deadly`, before or after it is stored."""

    def __init__(self, port: Events, deadly: Collection[str], *, before: bool) -> None:
        self._port = port
        self._deadly = deadly
        self._before = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    async def append_many(self, owner: str, run_id: str, events: Iterable[tuple[str, Any]]) -> list[int]:
        new_events = list(events)
        if self._before:
            self._die(new_events)
        numbers = await self._port.append_many(owner, run_id, new_events)
        self._die(new_events)
        return numbers

    def _die(self, events: Iterable[tuple[str, Any]]) -> None:
        if any(id_ in self._deadly or payload["event"] in self._deadly for id_, payload in events):
            os.kill(os.getpid(), signal.SIGKILL)


class LoggedRecords:
    """Writes each model answer that is passed to the store to a file, also if it was stored before."""

    def __init__(self, port: Records, file: Path) -> None:
        self._port = port
        self._file = file
        self._logged: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    async def put_many(self, puts: Sequence[Put]) -> tuple[int, ...]:
        try:
            return await self._port.put_many(puts)
        finally:
            for put in puts:
                if put.key.kind == KIND:
                    self._log(json.dumps(put.document))

    def _log(self, answer: str) -> None:
        """Write an answer once: a conflict on the total that is stored with it repeats the call."""
        if answer not in self._logged:
            self._logged.add(answer)
            with self._file.open("a") as file:
                file.write(answer + "\n")


def execute_run(home: Path, run: str, endpoint: str, deadly: Collection[str] = (), *, before: bool = False) -> None:
    """Execute the run; the main function of a process."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "BEDROCK_", "MODEL"))]:
        del os.environ[name]
    os.environ.update(SETTINGS, STRATIGOS_HOME=str(home), AWS_ENDPOINT_URL_BEDROCK_RUNTIME=endpoint)
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    asyncio.run(_execute(home, run, deadly, before=before))


async def _execute(home: Path, run: str, deadly: Collection[str], *, before: bool) -> None:
    async with create_dependencies(read_settings(), make_models(read_model_options())) as dependencies:
        _watch(dependencies.store, home, deadly, before=before)
        async for _ in execute(dependencies, OWNER, run):
            pass


def _watch(store: Store, home: Path, deadly: Collection[str], *, before: bool) -> None:
    """Replace the ports of the store, which the job runner shares."""
    object.__setattr__(store, "events", DeadlyEvents(store.events, deadly, before=before))
    object.__setattr__(store, "records", LoggedRecords(store.records, home / STORED_ANSWERS))
