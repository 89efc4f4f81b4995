"""Archiving and restoring runs, expiry, and interrupted cleanups."""

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig

from desk.compute.shards.repository import record_use
from desk.governance.approvals import Approval, ApprovalDecision, ApprovalRequest, Thresholds
from desk.optimization.repositories.trial_repository import load_all_series, load_trials
from desk.runs.cached_answers import load_or_compute
from desk.runs.repository import Run, RunArchived, list_runs, load_events, load_final_result, load_run, load_run_record
from desk.wealth.repository import Expiry
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.archive import NotArchivable, NotArchived, archive, hold, release, restore
from graphs.runs.archive_file import DamagedArchive, load_contents
from graphs.runs.cleanup import CleanupReport, clean_up, clean_up_daily
from graphs.runs.creation import create_run, new_run
from graphs.runs.holdout import open_holdout
from graphs.streaming.followers import log_state
from quant.strategies.trial import Trial
from store.keys import SYSTEM
from store.records import Key
from store.store import Store
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.runs.failed_runs import BEGIN, content_of, create_failed_run

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


@dataclass
class Clock:
    time: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.time


class Killed(Exception):
    pass


class Deadly:
    """A port that fails at the n-th write overall and at every later call."""

    WRITES = ("put", "put_many", "delete", "append_many", "sweep")

    def __init__(self, port: object, left: list[int]) -> None:
        self._port = port
        self._left = left

    def __getattr__(self, name: str):
        method = getattr(self._port, name)
        if name not in self.WRITES:
            return method

        async def write(*arguments, **options):
            self._left[0] -= 1
            if self._left[0] <= 0:
                raise Killed
            return await method(*arguments, **options)

        return write


def deadly(dependencies: Dependencies, writes: int) -> Dependencies:
    left, store = [writes], dependencies.store
    return replace(
        dependencies,
        store=Store(*(Deadly(port, left) for port in (store.records, store.events, store.blobs))),  # pyright: ignore[reportArgumentType]
    )


@asynccontextmanager
async def timed(home) -> AsyncGenerator[tuple[Dependencies, Clock]]:
    clock = Clock()
    async with open_dependencies(home) as dependencies:
        yield replace(dependencies, now=clock), clock


def runs(report: CleanupReport) -> tuple[list[str], list[str]]:
    return [each.run for each in report.archived], [each.run for each in report.kept]


async def test_an_archived_run_is_restored_byte_for_byte(home, small):
    async with timed(home) as (dependencies, clock):
        run = await create_run(dependencies, OWNER, small())
        events = [event async for event in execute(dependencies, OWNER, run)]
        before = await content_of(dependencies.store, run)
        result = await load_final_result(dependencies.store, OWNER, run)
        trials = await load_trials(dependencies.store, OWNER, run)
        series = await series_of(dependencies, trials)
        files = shared_series(home)
        assert files > 0
        later = await new_run(dependencies, OWNER, small(seed=4))
        assert result is not None

        clock.time += 30 * DAY
        report = await clean_up(dependencies, clock())
        assert runs(report) == ([run], [])
        assert await clean_up(dependencies, clock()) == report.model_copy(
            update={"archived": (), "bytes": 0, "expired": 0}
        )
        there = await load_contents(dependencies.store, OWNER, run)
        assert (there.records, there.events, there.results) == ((), (), {})
        for reading in (load_run, log_state):
            with pytest.raises(RunArchived, match="api restore"):
                await reading(dependencies.store, OWNER, run)
        [listed] = await list_runs(dependencies.store, OWNER)
        assert listed.archived is not None
        assert listed.archived.bytes == report.bytes
        assert (await new_run(dependencies, OWNER, small(seed=4))).ledger == later.ledger  # its trials still count
        assert shared_series(home) == 0
        assert await series_of(dependencies, trials) == series

        restored = await restore(dependencies, OWNER, run)
        assert (restored.state, restored.archived, restored.restored_at) == ("completed", None, clock())
        assert await content_of(dependencies.store, run) == before
        assert await load_events(dependencies.store, OWNER, run) == events
        assert await load_trials(dependencies.store, OWNER, run) == trials
        again = await load_final_result(dependencies.store, OWNER, run)
        assert again is not None
        assert again.digest() == result.digest() == restored.result_digest
        assert not await dependencies.store.blobs.exists(listed.archived.blob)
        assert shared_series(home) == files
        assert await series_of(dependencies, trials) == series
        with pytest.raises(NotArchived):
            await restore(dependencies, OWNER, run)

        clock.time += 29 * DAY
        assert runs(await clean_up(dependencies, clock())) == ([], [])  # it was restored
        clock.time += DAY
        assert runs(await clean_up(dependencies, clock())) == ([run], [])


async def series_of(dependencies: Dependencies, trials: Sequence[Trial]) -> dict[str, bytes]:
    addresses = [trial.series for trial in trials]
    loaded = await load_all_series(dependencies.store, OWNER, addresses, rows=2)
    return {address: array.tobytes() for address, array in loaded.items()}


def shared_series(home: Path) -> int:
    """Files that hold the series of several trials."""
    return sum(path.is_file() and "shared" in str(path.parent) for path in (home / "blobs").rglob("*"))


async def test_series_stay_readable_while_their_run_is_archived_and_restored(home, small):
    async with timed(home) as (dependencies, clock):
        run = await create_run(dependencies, OWNER, small())
        async for _ in execute(dependencies, OWNER, run):
            pass
        trials = await load_trials(dependencies.store, OWNER, run)
        series = await series_of(dependencies, trials)
        writes = 0
        for writes in range(3, 64, 15):
            cut = await is_cut_off(archive(deadly(dependencies, writes), OWNER, run))
            assert await series_of(dependencies, trials) == series
            clock.time += timedelta(minutes=2)  # past the lease of the crashed process
            await archive(dependencies, OWNER, run)
            assert (await series_of(dependencies, trials), shared_series(home)) == (series, 0)
            cut = await is_cut_off(restore(deadly(dependencies, writes), OWNER, run)) or cut
            assert await series_of(dependencies, trials) == series
            clock.time += timedelta(minutes=2)
            if (await list_runs(dependencies.store, OWNER))[0].archived is not None:
                await restore(dependencies, OWNER, run)
            assert await series_of(dependencies, trials) == series
            if not cut:
                break
        assert writes < 63


async def test_an_interruption_at_any_write_loses_nothing(home, small):
    async with timed(home) as (dependencies, clock):
        template = await new_run(dependencies, OWNER, small())
        writes = 0
        for writes in range(1, 100):
            run = await create_failed_run(dependencies, template, f"r{writes}")
            before = await content_of(dependencies.store, run)
            clock.time += 30 * DAY
            cut = await is_cut_off(clean_up(deadly(dependencies, writes), clock()))
            clock.time += timedelta(minutes=2)  # past the lease of the crashed process
            await clean_up(dependencies, clock())
            emptied = await load_contents(dependencies.store, OWNER, run)
            assert (emptied.records, emptied.events, emptied.results) == ((), (), {})
            cut = await is_cut_off(restore(deadly(dependencies, writes), OWNER, run)) or cut
            clock.time += timedelta(minutes=2)
            contents = Run.model_validate(
                (await load_run_record(dependencies.store, OWNER, run, archived=True)).document
            )
            if contents.archived is not None:
                await restore(dependencies, OWNER, run)
            assert await content_of(dependencies.store, run) == before
            await dependencies.store.records.delete(Key(OWNER, "run", run))  # the next round archives another run
            if not cut:
                break
        assert 15 < writes < 99


async def is_cut_off(work) -> bool:
    try:
        await work
    except Killed:
        return True
    return False


async def test_a_record_added_during_archiving_prevents_it(home, small):
    async with timed(home) as (dependencies, clock):
        run = await create_failed_run(dependencies, await new_run(dependencies, OWNER, small()), "r")
        clock.time += 30 * DAY
        for writes in range(1, 20):
            await is_cut_off(archive(deadly(dependencies, writes), OWNER, run))
            clock.time += timedelta(minutes=2)
            if (await list_runs(dependencies.store, OWNER))[0].archived is not None:
                break
        await dependencies.store.events.append(OWNER, run, "late", {"late": True})
        report = await clean_up(dependencies, clock())
        assert runs(report) == ([], [run])
        assert (await load_run(dependencies.store, OWNER, run)).archived is None
        assert len((await load_contents(dependencies.store, OWNER, run)).events) == 6
        assert runs(await clean_up(dependencies, clock())) == ([run], [])


async def test_a_record_added_during_deletion_is_preserved(home, small):
    async with timed(home) as (dependencies, clock):
        run = await create_failed_run(dependencies, await new_run(dependencies, OWNER, small()), "r")
        whole = await content_of(dependencies.store, run)
        clock.time += 30 * DAY
        writes = 0
        while len((await load_contents(dependencies.store, OWNER, run)).records) == len(whole[0]):  # pyright: ignore[reportArgumentType]
            writes += 1
            await is_cut_off(archive(deadly(dependencies, writes), OWNER, run))
            clock.time += timedelta(minutes=2)
        await dependencies.store.records.put(Key(OWNER, "decision", f"{run}.late"), {"late": True})
        assert runs(await clean_up(dependencies, clock())) == ([], [run])
        assert (await restore(dependencies, OWNER, run)).archived is None
        records, *rest = await content_of(dependencies.store, run)
        assert records == whole[0] | {Key(OWNER, "decision", f"{run}.late"): {"late": True}}  # pyright: ignore[reportOperatorIssue]
        assert rest == list(whole[1:])


@pytest.mark.parametrize("change", ["one byte", "missing"])
async def test_a_file_that_was_changed_is_refused(home, small, change):
    async with timed(home) as (dependencies, clock):
        run = await create_failed_run(dependencies, await new_run(dependencies, OWNER, small()), "r")
        clock.time += 30 * DAY
        archived = await archive(dependencies, OWNER, run)
        file = await dependencies.store.blobs.get(archived.blob)
        if change == "missing":
            await dependencies.store.blobs.delete(archived.blob)
        else:
            await dependencies.store.blobs.put(archived.blob, file[:200] + bytes([file[200] ^ 1]) + file[201:])
        with pytest.raises(DamagedArchive, match="is missing" if change == "missing" else "was changed"):
            await restore(dependencies, OWNER, run)
        assert (await load_contents(dependencies.store, OWNER, run)).records == ()
        await dependencies.store.blobs.put(archived.blob, file)
        assert (await restore(dependencies, OWNER, run)).state == "failed"


async def test_runs_that_are_young_held_open_or_asked_about_stay(home, small):
    async with timed(home) as (dependencies, clock):
        template = await new_run(dependencies, OWNER, small())
        for name in ("held", "reproduced", "asked", "opening", "unreadable", "old"):
            await create_failed_run(dependencies, template, name)
        await create_run(dependencies, OWNER, small(), run_id="created")
        await hold(dependencies, OWNER, "held", by="another", reason="a first one")
        await hold(dependencies, OWNER, "held", by="a lawyer", reason="a case")
        open_one = {
            "id": "1",
            "job": "reproduced",
            "state": "queued",
            "asked_at": BEGIN.isoformat(),
            "stored_digest": "",
        }
        await dependencies.store.records.put(Key(OWNER, "reproduction", "reproduced.1"), open_one)
        asked_run = ApprovalRequest(
            subject="holdout",
            estimate=None,
            exceeded=(),
            thresholds=Thresholds(evaluations=None, dollars=None, instances=None),
            at=BEGIN,
            request_digest="",
        )
        document = Approval(asked=asked_run).model_dump(mode="json")
        await dependencies.store.records.put(Key(OWNER, "approval", "asked.holdout"), document)
        decided_run = Approval(asked=asked_run, decided=ApprovalDecision(verdict="approved", by="another", at=BEGIN))
        await dependencies.store.records.put(
            Key(OWNER, "approval", "opening.holdout"), decided_run.model_dump(mode="json")
        )
        await dependencies.store.records.delete(Key(OWNER, "holdout", "opening"))
        with sqlite3.connect(home / "store.sqlite") as file:
            file.execute("UPDATE events SET payload = 'no JSON' WHERE run_id = 'unreadable' AND number = 2")

        clock.time += 20 * DAY
        await create_failed_run(dependencies, template, "young")
        clock.time += 10 * DAY
        foreseen = await clean_up(dependencies, clock(), dry_run=True)
        assert (await load_run(dependencies.store, OWNER, "old")).archived is None
        assert foreseen.expired is None
        report = await clean_up(dependencies, clock())
        assert {each.run: each.reason for each in report.kept} == {
            "held": "a lawyer holds it (a case)",
            "reproduced": "it is being reproduced",
            "asked": "a person has yet to decide whether its holdout is opened",
            "opening": "its holdout is about to be opened",
            "unreadable": "a stored document is not JSON: Expecting value: line 1 column 1 (char 0)",
            "created": "it is created",
        }
        assert runs(report) == (["old"], runs(report)[1])
        assert foreseen.model_copy(update={"dry_run": False, "expired": report.expired}) == report

        await release(dependencies, OWNER, "held")
        assert runs(await clean_up(dependencies, clock()))[0] == ["held"]
        with pytest.raises(RunArchived):
            await open_holdout(dependencies, OWNER, "held")
        await hold(dependencies, OWNER, "held", by="a lawyer", reason="a case")
        with pytest.raises(NotArchivable, match="a lawyer holds it"):
            await archive(dependencies, OWNER, "held")
        assert (await restore(dependencies, OWNER, "held")).held is not None


async def test_checkpoints_of_ended_runs_stay_ninety_days(home, small):
    async with timed(home) as (dependencies, clock):
        run = await create_failed_run(dependencies, await new_run(dependencies, OWNER, small()), "r")
        config: RunnableConfig = {"configurable": {"thread_id": f"{OWNER}/{run}", "checkpoint_ns": ""}}
        async with open_checkpoints(dependencies.checkpoints) as checkpoints:
            from langgraph.checkpoint.base import empty_checkpoint

            await checkpoints.aput(config, empty_checkpoint(), {}, {})
            clock.time += 90 * DAY - timedelta(seconds=1)
            assert (await clean_up(dependencies, clock())).checkpoints == ()
            assert await checkpoints.aget_tuple(config) is not None
            clock.time += timedelta(seconds=1)
            assert [one.run for one in (await clean_up(dependencies, clock(), dry_run=True)).checkpoints] == [run]
            assert [one.run for one in (await clean_up(dependencies, clock())).checkpoints] == [run]
            assert await checkpoints.aget_tuple(config) is None
            assert (await clean_up(dependencies, clock())).checkpoints == ()


async def test_cached_answers_and_simulation_files_are_deleted_when_expired(home, small):
    async with timed(home) as (dependencies, clock):
        store = dependencies.store
        await create_failed_run(dependencies, await new_run(dependencies, OWNER, small()), "r")

        async def make() -> bytes:
            return b"answer"

        async def answer():
            return await load_or_compute(store, OWNER, "r", "charts.all", ("x",), make, now=clock())

        assert [(await answer()).hit, (await answer()).hit] == [False, True]
        files = [f"{OWNER}/trajectories/s-{n}.npy" for n in range(2)]
        for n, file in enumerate(files):
            await store.blobs.put(file, b"closes")
            expiry = Expiry(at=BEGIN + (n + 1) * DAY)
            await store.records.put(Key(OWNER, "simulation_id", f"s-{n}"), expiry.model_dump(mode="json"))
        clock.time += DAY
        assert not (await answer()).hit  # it is a day old
        clock.time += timedelta(hours=12)
        assert (await answer()).hit
        clock.time += timedelta(hours=11, minutes=59)
        for dry_run in (True, False):
            report = await clean_up(dependencies, clock(), dry_run=dry_run)
            assert (report.derived, report.trajectories) == (0, 1)
        clock.time += timedelta(minutes=1)
        report = await clean_up(dependencies, clock())
        assert (report.derived, report.trajectories) == (1, 1)
        assert not await store.blobs.exists(f"{OWNER}/derived/r/charts.all")
        assert [await store.blobs.exists(file) for file in files] == [False, False]
        report = await clean_up(dependencies, clock())
        assert (report.derived, report.trajectories, report.owners) == (0, 0, 1)


async def test_shards_unused_for_thirty_days_are_deleted(home):
    async with timed(home) as (dependencies, clock):
        store, shard = dependencies.store, f"{SYSTEM}/shards/a"
        await store.blobs.put(shard, b"file")
        await record_use(store, ["a"], now=clock())
        clock.time += 30 * DAY
        assert (await clean_up(dependencies, clock(), dry_run=True)).shards == 1
        assert await store.blobs.exists(shard)
        await record_use(store, ["a"], now=clock())  # by any run
        assert (await clean_up(dependencies, clock())).shards == 0
        assert await store.blobs.exists(shard)
        clock.time += 30 * DAY
        assert [(await clean_up(dependencies, clock())).shards for _ in range(2)] == [1, 0]
        assert not await store.blobs.exists(shard)


async def test_cleanup_runs_once_a_day_and_never_touches_the_audit_log(home, small):
    async with timed(home) as (dependencies, clock):
        await create_failed_run(dependencies, await new_run(dependencies, OWNER, small()), "r")
        await dependencies.store.events.append(SYSTEM, "audit", "1", {"did": "something"})
        clock.time += 30 * DAY
        first = await clean_up_daily(dependencies)
        assert first is not None
        assert runs(first) == (["r"], [])
        clock.time += timedelta(hours=23)
        assert await clean_up_daily(dependencies) is None
        clock.time += timedelta(hours=1)
        assert await clean_up_daily(dependencies) is not None
        clock.time += 3650 * DAY
        await clean_up(dependencies, clock())
        assert await dependencies.store.events.last(SYSTEM, "audit") == 1
        assert (await list_runs(dependencies.store, OWNER))[0].archived is not None
