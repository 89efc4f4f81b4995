"""Writes the chapter of docs/scaling.md about the store: `python -m tests.bench.store_load`.

It records one job, turn and change, and simulates 10, 100 and 1,000 users; `--recorded` uses the recording that exists.
"""

import asyncio
import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from graphs.runs.cleanup import ARCHIVED_AFTER
from tests.bench.store_simulation import (
    MAX_WRITES,
    PER_DAY,
    Load,
    Usage,
    measure_one,
    measure_peak,
)

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "scaling.md"
RECORDED, MEASURED = FOLDER / "store_recording.json", FOLDER / "store_load.json"
HEADING = "## What the store takes"
CROWDS = (10, 100, 1_000)
PEAK_SECONDS = 20.0
DAYS, MONTHS = 365, 12
GIGABYTE = 1e9
DOLLARS = {
    "write units": 0.625e-6,
    "read units": 0.125e-6,
    "GB in DynamoDB": 0.25,
    "writes to S3": 5e-6,
    "reads from S3": 0.4e-6,
    "GB in S3": 0.023,
}
"""List prices in us-east-1 for one unit, a gigabyte for a month (aws.amazon.com/dynamodb/pricing/on-demand and
aws.amazon.com/s3/pricing)."""
CHECKPOINTS = {"job": Usage(reads=11, writes=180, stored=131_000), "turn": Usage(reads=21, writes=28, stored=0)}
"""What LangGraph's checkpoints take in a table of their own, as moto has received it; a turn deletes its own."""
CHECKPOINT_REQUESTS = {"job": 60, "turn": 29}
ARCHIVED = re.compile(r"#r#(trial|decision|approval|answer|usage|reproduction)\b|#e#\{id\}$")
"""Partition keys whose items of a job leave DynamoDB with its archiving."""
SHARDS = 8
"""Of the audit log's day."""
KINDS = {
    "events of a run": r"desk-events: ",
    "records of a user, by kind": r"desk-records: \{user\}#r#",
    "lists of a user, by kind and label": r"desk-records: \{user\}#[cl]#",
    "records of all users, by kind": r"desk-records: _desk#r#",
    "lists of all users, by kind and label": r"desk-records: _desk#[cl]#",
    "audit log, by day and shard": r"desk-audit: ",
}
"""What a partition key holds, and the names of such keys."""
MOST_GIGABYTES, MOST_WRITES = 1.0, 500.0
"""Wanted of each partition key, after a year of 1,000 users."""


class Figures(NamedTuple):
    one: Mapping[str, Load]
    """Each activity alone."""
    peak: Mapping[int, Load]
    """By number of users."""


def measure(recorded: Mapping[str, Any], crowds: tuple[int, ...] = CROWDS) -> Figures:
    return Figures(
        {activity: measure_one(recorded, activity) for activity in PER_DAY},
        {users: measure_peak(recorded, users, PEAK_SECONDS) for users in crowds},
    )


def read_figures(file: Path = MEASURED) -> Figures:
    stored = json.loads(file.read_text(encoding="utf-8"))
    return Figures(
        {name: _load(each) for name, each in stored["one"].items()},
        {int(users): _load(each) for users, each in stored["peak"].items()},
    )


def write_figures(figures: Figures, file: Path = MEASURED) -> None:
    values = {
        "one": {name: dataclasses.asdict(load) for name, load in figures.one.items()},
        "peak": {users: dataclasses.asdict(load) for users, load in figures.peak.items()},
    }
    file.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _load(values: Mapping[str, Any]) -> Load:
    return Load(**{**values, "keys": {key: Usage(**usage) for key, usage in values["keys"].items()}})


def yearly_bytes(figures: Figures, users: int) -> dict[str, float]:
    """Bytes of each partition key after a year of so many users; a key with `{id}` holds one object only."""
    sizes: dict[str, float] = {}
    for activity, load in figures.one.items():
        for key, usage in load.keys.items():
            kept = ARCHIVED_AFTER.days if activity == "job" and ARCHIVED.search(key) else DAYS
            days = 1 if "{day}" in key else kept
            share = 1 if "{user}" in key else users / SHARDS if "{shard}" in key else users
            times = 1 if "{id}" in key else PER_DAY[activity] * days * share
            sizes[key] = sizes.get(key, 0.0) + max(0, usage.stored) * times
    return sizes


def stored_gigabytes(figures: Figures) -> float:
    """In DynamoDB for one user after a year."""
    total = 0.0
    for activity, load in figures.one.items():
        for key, usage in load.keys.items():
            days = ARCHIVED_AFTER.days if activity == "job" and ARCHIVED.search(key) else DAYS
            total += max(0, usage.stored) * PER_DAY[activity] * days
        total += CHECKPOINTS.get(activity, Usage()).stored * PER_DAY[activity] * 90
    return total / GIGABYTE


class KeyKind(NamedTuple):
    largest: str
    megabytes: float
    busiest: str
    writes: float
    """Units in a second."""


def key_kinds(figures: Figures, users: int) -> dict[str, KeyKind]:
    """The largest and the busiest partition key of each kind."""
    sizes, peak = yearly_bytes(figures, users), figures.peak[users]
    kinds: dict[str, KeyKind] = {}
    for kind, pattern in KINDS.items():
        keys = sorted(key for key in {*sizes, *peak.keys} if re.match(pattern, key))
        largest = max(keys, key=lambda key: sizes.get(key, 0.0))
        busiest = max(keys, key=lambda key: _peak(peak, key))
        kinds[kind] = KeyKind(largest, sizes.get(largest, 0.0) / 1e6, busiest, _peak(peak, busiest))
    return kinds


def _peak(load: Load, key: str) -> float:
    return load.peak_writes.get(key.partition(": ")[2], 0.0)


def monthly_dollars(figures: Figures) -> dict[str, float]:
    """Of one user in the last month of a year."""
    days = DAYS / MONTHS
    amounts = dict.fromkeys(DOLLARS, 0.0)
    for activity, load in figures.one.items():
        number, checkpoints = PER_DAY[activity], CHECKPOINTS.get(activity, Usage())
        amounts["write units"] += (load.writes + checkpoints.writes) * number * days
        amounts["read units"] += (load.reads + checkpoints.reads) * number * days
        amounts["writes to S3"] += load.objects * number * days
        amounts["reads from S3"] += load.downloads * number * days
        amounts["GB in S3"] += load.uploaded * number * DAYS / GIGABYTE
    amounts["GB in DynamoDB"] = stored_gigabytes(figures)
    return {what: amount * DOLLARS[what] for what, amount in amounts.items()}


def activity_dollars(figures: Figures, activity: str) -> float:
    """Requests of one activity, without what it stores."""
    load, checkpoints = figures.one[activity], CHECKPOINTS.get(activity, Usage())
    return (
        (load.writes + checkpoints.writes) * DOLLARS["write units"]
        + (load.reads + checkpoints.reads) * DOLLARS["read units"]
        + load.objects * DOLLARS["writes to S3"]
        + load.downloads * DOLLARS["reads from S3"]
    )


def chapter(figures: Figures) -> str:
    return "\n".join(_chapter(figures)) + "\n"


def _chapter(figures: Figures) -> Iterator[str]:
    yield f"{HEADING}\n"
    yield (
        "One job of 100 trials, one turn of a chat and one change (a portfolio, with its two entries in the audit\n"
        "log) are recorded with the sizes of their documents, and replayed by the store's own classes on DynamoDB in\n"
        "memory. `python -m tests.bench.store_load` records, simulates and writes this chapter;\n"
        "`tests/bench/test_store_load.py` compares it. Looks for news are not counted: two a second while a job is\n"
        "followed.\n"
    )
    yield "| activity | requests | write units | read units | kB in DynamoDB | writes to S3 | kB in S3 | dollars |"
    yield "|---|---|---|---|---|---|---|---|"
    for activity in PER_DAY:
        load, checkpoints = figures.one[activity], CHECKPOINTS.get(activity, Usage())
        yield (
            f"| {activity} | {load.requests + CHECKPOINT_REQUESTS.get(activity, 0):,} "
            f"| {load.writes + checkpoints.writes:,.0f} | {load.reads + checkpoints.reads:,.0f} "
            f"| {(load.stored + checkpoints.stored) / 1e3:,.0f} | {load.objects} | {load.uploaded / 1e3:,.0f} "
            f"| {activity_dollars(figures, activity):.5f} |"
        )
    yield "\n### 10, 100 and 1,000 users\n"
    number = ", ".join(f"{count} {name}s" for name, count in PER_DAY.items())
    yield (
        f"Each user has {number} a day. The peak is three times the mean of eight hours;\n"
        f"{PEAK_SECONDS:g} seconds of it are simulated, with at least one of each. A request takes 4 to 14 ms, and a\n"
        f"partition key takes {MAX_WRITES:,} write units a second; beyond that AWS refuses requests, which the store\n"
        "repeats.\n"
    )
    yield "| users | requests/s | write units/s | busiest key, write units/s | refused | longest delay, s |"
    yield "|---|---|---|---|---|---|"
    for users, load in figures.peak.items():
        yield (
            f"| {users:,} | {load.requests / PEAK_SECONDS:,.0f} | {load.writes / PEAK_SECONDS:,.0f} "
            f"| {max(load.peak_writes.values()):,.0f} | {load.refused} | {load.seconds:.1f} |"
        )
    yield "\nThe largest partition keys after a year of 1,000 users, jobs archived after 30 days:\n"
    yield "| partition key | MB |"
    yield "|---|---|"
    sizes = yearly_bytes(figures, max(CROWDS))
    for key in sorted(sizes, key=lambda key: (-sizes[key], key))[:6]:
        yield f"| `{key}` | {sizes[key] / 1e6:,.0f} |"
    yield from _kinds_of_keys(figures)
    dollars = monthly_dollars(figures)
    yield "\nDollars of a user in the last month of a year, at list prices:\n"
    yield "| what | dollars |"
    yield "|---|---|"
    for what, amount in dollars.items():
        yield f"| {what} | {amount:.3f} |"
    yield f"| **together** | **{sum(dollars.values()):.2f}** |"


def _kinds_of_keys(figures: Figures) -> Iterator[str]:
    users = max(CROWDS)
    kinds = key_kinds(figures, users)
    size, writes = (max(getattr(kind, name) for kind in kinds.values()) for name in ("megabytes", "writes"))
    first = max(kinds.values(), key=lambda kind: kind.writes)
    shared = max((kinds[name] for name in kinds if "all users" in name), key=lambda kind: kind.writes)
    yield f"\nBy what a key holds, after a year of {users:,} users and at their peak:\n"
    yield "| partition keys | largest | MB | busiest | write units/s |"
    yield "|---|---|---|---|---|"
    for name, kind in kinds.items():
        yield f"| {name} | `{kind.largest}` | {kind.megabytes:,.1f} | `{kind.busiest}` | {kind.writes:,.0f} |"
    yield (
        "\nOnly the keys of the audit log have a shard of time; no other is near a limit. Without local indexes the\n"
        f"size of a key is not limited (the largest: {size:,.0f} MB); it takes {MAX_WRITES:,} write units a second\n"
        f"(the busiest: {writes:,.0f}). What a job writes to one key does not grow with the number of users. Of the\n"
        f"keys of all users, which do, `{_name(shared)}` would reach the limit first, at\n"
        f"{_users_at_limit(shared, users)} users, and get a shard by owner; `{_name(first)}` would get one by run if\n"
        f"jobs became {MAX_WRITES / writes:.0f} times as large."
    )


def _name(kind: KeyKind) -> str:
    return kind.busiest.partition(": ")[2]


def _users_at_limit(kind: KeyKind, users: int) -> str:
    """Rounded down to a thousand, for a load that grows with the users."""
    return f"{int(users * MAX_WRITES / kind.writes) // 1_000 * 1_000:,}"


def replace_chapter(page: str, text: str) -> str:
    before, _, rest = page.partition(HEADING)
    _, separator, after = rest.partition("\n## ")
    return f"{before.rstrip()}\n\n{text}" + (f"\n## {after}" if separator else "")


def main() -> None:
    if "--recorded" not in sys.argv:
        from tests.bench.store_recording import record

        with tempfile.TemporaryDirectory() as home:
            recorded = asyncio.run(record(Path(home)))
        RECORDED.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")
    figures = measure(json.loads(RECORDED.read_text(encoding="utf-8")))
    write_figures(figures)
    text = chapter(figures)
    PAGE.write_text(replace_chapter(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
