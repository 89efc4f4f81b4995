"""Splits a simulation into shards, computes and encodes each as a file, and merges them into evaluations."""

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from pydantic import ValidationError

from desk.base.code_version import code_version
from desk.optimization.evaluation import World
from desk.optimization.jobs import Shard
from quant.numeric.errors import DataError
from quant.numeric.frozen import Frozen, digest_of
from quant.numeric.random_numbers import LANES
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.kernel import FALL_BINS, LOSS_BINS, STATISTICS, Counts
from quant.strategies.simulation import GROUP, Part, merge_parts
from quant.worlds.scenario import Scenario

CHUNK = 10
"""Configs per shard, at most those of a checkpoint."""
_FEWEST, _MOST, _PIECES = 2, 4, 16
"""Groups of 1,024 paths per shard: a sixteenth of a scenario within these bounds, for any number of workers."""
_MAGIC = b"stratigos shard 2\n"
_LARGEST_HEADER = 65_536
_LONGEST_REASON = 1_000
_BINS = struct.Struct("<iii")
"""First nonzero bin of a histogram, the one after the last, and bytes per count."""

Flaw: TypeAlias = Literal[
    "truncated", "wrong version", "damaged", "another shard", "wrong data", "wrong code", "wrong problem"
]


class BadShard(ValueError):
    """A shard file that is damaged or belongs to another shard."""

    def __init__(self, id_: str, flaw: Flaw, detail: str = "") -> None:
        self.id, self.flaw = id_, flaw
        super().__init__(f"shard {id_[:16]}: {flaw}" + (f" ({detail})" if detail else ""))


class Task(Frozen):
    """Input of a worker for a shard, besides the request and its prices."""

    shard: Shard
    configs: tuple[StrategyConfig, ...]
    scenario: str
    """Its name in the request."""


class _Header(Frozen):
    shard: Shard
    days: int
    """0 in the file of a shard that cannot be computed, whose body is the reason."""
    size: int
    """Bytes of the compressed body."""
    sha256: str
    """SHA-256 of `days` and the compressed body."""


@dataclass(frozen=True)
class ShardPlanner:
    """Splits chunks of configs of one world into tasks, and merges their parts into evaluations."""

    world: World

    @cached_property
    def problem(self) -> str:
        """Digest of all inputs of a simulation besides configs, scenario and paths."""
        world = self.world
        market, request = world.market, world.request
        content = hashlib.sha256(b"stratigos problem 1\n")
        description = {
            "mandate": digest_of(request.mandate),
            "seed": request.seed,
            "days": world.days,
            "drawdown_limit": world.drawdown_limit,
            "warm_up": market.warm_up,
            "train": [market.train.start, market.train.stop],
            "mixes": [str(mix) for mix in market.histories],
        }
        content.update(json.dumps(description, sort_keys=True).encode())
        for history in market.histories.values():
            for series in (history.returns, history.cash, history.legs, history.mix, history.bonds):
                content.update(np.ascontiguousarray(series, dtype="<f8").tobytes())
        return content.hexdigest()

    @cached_property
    def _scenarios(self) -> dict[str, str]:
        return {scenario.name: digest_of(scenario) for scenario in self.world.request.scenarios}

    def tasks(self, configs: Sequence[StrategyConfig], paths: int) -> Iterator[Task]:
        configs = self.world.with_references(configs)
        digests = tuple(config.digest() for config in configs)
        for scenario, digest in self._scenarios.items():
            for first_block, span_paths in spans(paths):
                shard = Shard(
                    configs=digests,
                    scenario=digest,
                    first_block=first_block,
                    paths=span_paths,
                    problem=self.problem,
                    data=self.world.market.data_digest,
                    code=code_version(),
                )
                yield Task(shard=shard, configs=configs, scenario=scenario)

    def require_same_problem(self, task: Task) -> None:
        """Raise `ValueError` for a task of another world."""
        expected = (self.problem, self.world.market.data_digest, code_version())
        if (task.shard.problem, task.shard.data, task.shard.code) != expected:
            raise ValueError(f"shard {task.shard.id()[:16]} belongs to another request, other prices or other code")

    def evaluations(
        self, configs: Sequence[StrategyConfig], parts: Iterable[tuple[Task, Part]]
    ) -> list[tuple[Evaluation, ...]]:
        """Evaluations of each config in every scenario, from all parts of its chunk."""
        by_scenario: dict[str, list[Part]] = {scenario.name: [] for scenario in self.world.request.scenarios}
        for task, part in parts:
            by_scenario[task.scenario].append(part)
        columns = [
            self.world.evaluations(configs, merge_parts(by_scenario[scenario.name]), scenario)
            for scenario in self.world.request.scenarios
        ]
        return [tuple(column[k] for column in columns) for k in range(len(configs))]


def spans(paths: int) -> list[tuple[int, int]]:
    """First block and number of paths of each shard of a scenario."""
    groups = math.ceil(paths / (GROUP * LANES))
    size = GROUP * min(max(math.ceil(groups / _PIECES), _FEWEST), _MOST)
    return [(b, min(paths - b * LANES, size * LANES)) for b in range(0, math.ceil(paths / LANES), size)]


def compute(world: World, task: Task, workers: int | None = None) -> bytes:
    """The file of a shard, computed with `workers` threads (default: all cores).

    A config that cannot be simulated is told by the file, so that whoever computes it goes on with other shards.
    """
    scenario: Scenario = next(s for s in world.request.scenarios if s.name == task.scenario)
    shard = task.shard
    try:
        part = world.part(task.configs, scenario, paths=shard.paths, first_block=shard.first_block, workers=workers)
    except DataError as error:
        return _seal(shard, 0, zlib.compress(f"{error}".encode()[:_LONGEST_REASON]))
    return encode(shard, part)


def encode(shard: Shard, part: Part) -> bytes:
    """Sums as float64; of each histogram the range of nonzero bins, with the narrowest integer type that fits."""
    content = [np.ascontiguousarray(sums, dtype="<f8").tobytes() for sums in (part.means, part.spreads)]
    for counts in (part.losses, part.falls):
        nonzero = np.flatnonzero(counts.any(axis=0))
        first, last = (int(nonzero[0]), int(nonzero[-1]) + 1) if nonzero.size else (0, 0)
        kind = "<u2" if counts.max(initial=0) < 2**16 else "<i4"
        content.append(_BINS.pack(first, last, int(kind[-1])) + counts[:, first:last].astype(kind).tobytes())
    return _seal(shard, part.days, zlib.compress(b"".join(content), 1))


def _seal(shard: Shard, days: int, body: bytes) -> bytes:
    header = _Header(shard=shard, days=days, size=len(body), sha256=_checksum(days, body))
    return _MAGIC + header.model_dump_json().encode() + b"\n" + body


def decode(expected: Shard, content: bytes) -> Part:
    """The sums in the file of the shard `expected`; raises `BadShard` for other content, `DataError` if it has none."""
    days, body = check(expected, content)
    try:
        arrays = zlib.decompressobj().decompress(body, _max_size(expected) + 1)  # limits the memory for hostile input
    except zlib.error as error:
        raise BadShard(expected.id(), "damaged", "its body cannot be unpacked") from error
    if days == 0:
        raise DataError(arrays[:_LONGEST_REASON].decode(errors="replace"))
    return _part(expected, days, arrays)


def check(expected: Shard, content: bytes) -> tuple[int, bytes]:
    """The days and the compressed body of the file of the shard `expected`; raises `BadShard` for other content."""
    id_ = expected.id()
    if not content.startswith(_MAGIC):
        raise BadShard(id_, "truncated" if _MAGIC.startswith(content) else "wrong version")
    end = content.find(b"\n", len(_MAGIC), len(_MAGIC) + _LARGEST_HEADER)
    if end < 0:
        raise BadShard(id_, "truncated", "its header has no end")
    try:
        header = _Header.model_validate_json(content[len(_MAGIC) : end])
    except ValidationError as error:
        raise BadShard(id_, "damaged", "its header cannot be read") from error
    actual = header.shard
    if actual != expected:
        raise BadShard(id_, _mismatch(expected, actual))
    body = content[end + 1 :]
    if _checksum(header.days, body) != header.sha256:
        raise BadShard(id_, "truncated" if len(body) < header.size else "damaged")
    return header.days, body


def _checksum(days: int, body: bytes) -> str:
    return hashlib.sha256(b"%d\n" % days + body).hexdigest()


def _mismatch(expected: Shard, actual: Shard) -> Flaw:
    if actual.data != expected.data:
        return "wrong data"
    if actual.code != expected.code:
        return "wrong code"
    return "wrong problem" if actual.problem != expected.problem else "another shard"


def _shape(shard: Shard) -> tuple[int, int, int]:
    return math.ceil(shard.paths / (GROUP * LANES)), len(shard.configs), STATISTICS


def _max_size(shard: Shard) -> int:
    """Largest size of its arrays in bytes."""
    return 16 * math.prod(_shape(shard)) + 2 * _BINS.size + 4 * len(shard.configs) * (LOSS_BINS + FALL_BINS)


def _part(shard: Shard, days: int, body: bytes) -> Part:
    try:
        sums = np.frombuffer(body, dtype="<f8", count=2 * math.prod(_shape(shard))).reshape(2, *_shape(shard))
        losses, rest = _counts(shard, body[sums.nbytes :], LOSS_BINS)
        falls, rest = _counts(shard, rest, FALL_BINS)
    except (ValueError, struct.error) as error:
        raise BadShard(shard.id(), "damaged", "its arrays have other sizes") from error
    if rest:
        raise BadShard(shard.id(), "damaged", "something follows its arrays")
    return Part(
        first_block=shard.first_block,
        paths=shard.paths,
        days=days,
        means=sums[0],
        spreads=sums[1],
        losses=losses,
        falls=falls,
    )


def _counts(shard: Shard, body: bytes, bins: int) -> tuple[Counts, bytes]:
    """A histogram and the remaining bytes; raises `ValueError` or `struct.error` for invalid content."""
    first, last, width = _BINS.unpack_from(body)
    if not 0 <= first <= last <= bins or width not in (2, 4):
        raise ValueError("bins")
    counts: Counts = np.zeros((len(shard.configs), bins), dtype=np.int32)
    kind, size = "<u2" if width == 2 else "<i4", len(shard.configs) * (last - first)
    nonzero = np.frombuffer(body, dtype=kind, count=size, offset=_BINS.size)
    counts[:, first:last] = nonzero.reshape(-1, last - first) if size else 0
    return counts, body[_BINS.size + nonzero.nbytes :]
