"""Shard files, and a search divided into shards: evaluations equal those of one run despite damaged files."""

import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.compute.shards.sharded_search import ATTEMPTS, FolderShardStore, ShardedSimulator
from desk.compute.shards.shards import BadShard, ShardPlanner, Task, compute, decode, encode, spans
from desk.optimization.evaluation import World
from desk.optimization.search.search import LocalSimulator
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.kernel import STATISTICS
from quant.strategies.search import sobol
from quant.strategies.simulation import GROUP
from tests.desk.compute.shards.sealed_shards import replace_body

PATHS = 2_112
"""Three shards of a scenario, the last of them short."""
SHARDS = 2 * 2 * len(spans(PATHS))
"""Of two chunks in two scenarios."""

Chunks = list[list[StrategyConfig]]


class Memory:
    """A `ShardStore` in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def using(self, ids: Collection[str]) -> AbstractContextManager[None]:
        return nullcontext()

    def get(self, id_: str) -> bytes | None:
        return self.files.get(id_)

    def put(self, id_: str, content: bytes) -> None:
        self.files[id_] = content


class Engine:
    """Returns results in the order of `arrange`; each shard is computed once for all tests."""

    files: dict[str, bytes] = {}  # noqa: RUF012 - on purpose

    def __init__(self, world: World, arrange: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]] = list):
        self.world = world
        self.arrange = arrange
        self.computed_ids: list[str] = []

    def compute(self, tasks: Sequence[Task]) -> Iterator[tuple[str, bytes]]:
        self.computed_ids += [task.shard.id() for task in tasks]
        yield from self.arrange([self.compute_once(task) for task in tasks])

    def compute_once(self, task: Task) -> tuple[str, bytes]:
        id_ = task.shard.id()
        if id_ not in self.files:
            self.files[id_] = compute(self.world, task, 1)
        return id_, self.files[id_]


@pytest.fixture(scope="module")
def chunks(world) -> Chunks:
    configs = sobol(world.request.space, 5, seed=1)
    return [configs[:3], configs[3:]]


@pytest.fixture(scope="module")
def single(world, chunks) -> list[list[tuple[Evaluation, ...]]]:
    return list(LocalSimulator(world).evaluations(chunks, PATHS))


@pytest.fixture(scope="module")
def task(world, chunks) -> Task:
    return next(ShardPlanner(world).tasks(chunks[1], 100))


@pytest.fixture(scope="module")
def content(world, task) -> bytes:
    return compute(world, task, 1)


def flaw(task: Task, content: bytes) -> str:
    with pytest.raises(BadShard) as error_info:
        decode(task.shard, content)
    assert error_info.value.id == task.shard.id()
    assert task.shard.id()[:16] in str(error_info.value)
    return error_info.value.flaw


def test_a_file_cut_off_anywhere_is_truncated(task, content) -> None:
    header = content.index(b"{")
    body = content.index(b"\n", header) + 1
    points = {0, 1, header - 1, header, header + 1, body - 1, body, body + 1, len(content) - 1}
    for point in points | set(range(0, len(content), 211)):
        assert flaw(task, content[:point]) == "truncated", point


@given(st.data())
def test_a_flipped_bit_is_refused_or_harmless(task, content, data) -> None:
    body = content.index(b"\n", content.index(b"{")) + 1
    place = data.draw(st.integers(0, body) | st.integers(0, len(content) - 1))
    with_changes = bytearray(content)
    with_changes[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        part = decode(task.shard, bytes(with_changes))
    except BadShard:
        return
    sound = decode(task.shard, content)
    assert part.days == sound.days
    for name in ("means", "spreads", "losses", "falls"):
        assert getattr(part, name).tobytes() == getattr(sound, name).tobytes()


def test_other_days_in_a_header_are_damage(task, content) -> None:
    assert content.count(b'"days":252,') == 1
    assert flaw(task, content.replace(b'"days":252,', b'"days":253,')) == "damaged"


def test_appended_bytes_are_damage(task, content) -> None:
    assert flaw(task, content + b"\0") == "damaged"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data": "0" * 64}, "wrong data"),
        ({"code": "0" * 64}, "wrong code"),
        ({"problem": "0" * 64}, "wrong problem"),
        ({"scenario": "0" * 64}, "another shard"),
        ({"first_block": 1}, "another shard"),
        ({"paths": 64}, "another shard"),
        ({"configs": ("0" * 64,)}, "another shard"),
    ],
)
def test_a_file_of_another_task_is_refused_with_the_difference(task, content, changes, expected) -> None:
    expected_task = task.model_copy(update={"shard": task.shard.model_copy(update=changes)})
    assert flaw(expected_task, content) == expected


@pytest.mark.parametrize("first_line", [b"stratigos shard 1\n", b"\x89PNG\r\n\x1a\n"])
def test_a_file_of_another_version_is_refused(task, content, first_line) -> None:
    assert flaw(task, first_line + content.split(b"\n", 1)[1]) == "wrong version"


def test_the_search_for_a_header_is_limited(task, content) -> None:
    magic = content[: content.index(b"{")]
    assert flaw(task, magic + b"{" + b" " * 100_000 + b"\n") == "truncated"
    assert flaw(task, magic + b"{}\n") == "damaged"


@pytest.mark.parametrize("body", [b"no stream", zlib.compress(b"too short"), zlib.compress(bytes(2**26))])
def test_a_sealed_body_of_another_form_is_refused(task, content, body) -> None:
    assert flaw(task, replace_body(content, body)) == "damaged"


@pytest.mark.parametrize("bins", [(-1, 5, 2), (0, 10**6, 2), (5, 4, 2), (0, 1, 3), (0, 5120, 4), (0, 0, 2)])
def test_a_sealed_histogram_of_other_bins_is_refused(task, content, bins) -> None:
    sums = 2 * 8 * -(-task.shard.paths // (GROUP * LANES)) * len(task.configs) * STATISTICS
    body = bytearray(zlib.decompress(content.split(b"\n", 2)[2]))
    assert decode(task.shard, replace_body(content, zlib.compress(body))).paths == task.shard.paths
    struct.pack_into("<iii", body, sums, *bins)
    assert flaw(task, replace_body(content, zlib.compress(body))) == "damaged"


@pytest.mark.parametrize("most", [0, 1, 2**16 - 1, 2**16, 2**31 - 1])
def test_counts_of_any_size_and_position_survive_encoding(task, content, most) -> None:
    sound = decode(task.shard, content)
    losses, falls = np.zeros_like(sound.losses), np.zeros_like(sound.falls)
    losses[-1, -1] = falls[0, 0] = most
    part = decode(task.shard, encode(task.shard, replace(sound, losses=losses, falls=falls)))
    assert (part.losses.dtype, part.falls.dtype) == (sound.losses.dtype, sound.falls.dtype)
    assert (part.losses.tobytes(), part.falls.tobytes()) == (losses.tobytes(), falls.tobytes())
    assert (part.means.tobytes(), part.spreads.tobytes()) == (sound.means.tobytes(), sound.spreads.tobytes())


@given(st.integers(1, 200_000))
def test_shards_of_a_scenario_are_adjacent_and_few(paths: int) -> None:
    total = 0
    blocks = spans(paths)
    for first, some in blocks:
        assert (first * LANES, first % GROUP) == (total, 0)
        assert 0 < some <= 64 * LANES
        total += some
    assert total == paths
    assert len(blocks) <= max(16, -(-paths // (64 * LANES)))
    assert all(some % (GROUP * LANES) == 0 for _, some in blocks[:-1])


@settings(max_examples=8)
@given(st.randoms(use_true_random=False))
def test_shards_in_any_order_twice_or_late_give_the_evaluations_of_the_single_run(world, chunks, single, random):
    late: list[tuple[str, bytes]] = []

    def arrange(results: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """Some results come twice, and some belong to an earlier batch."""
        arrangement = results + random.sample(results, random.randrange(len(results))) + late
        late.extend(random.sample(results, 1))
        random.shuffle(arrangement)
        return arrangement

    sharded = ShardedSimulator(world, Engine(world, arrange), Memory())
    assert list(sharded.evaluations(chunks, PATHS)) == single
    assert list(sharded.evaluations(chunks[:1], PATHS)) == single[:1]


def test_a_search_for_benefit_in_shards_has_the_evaluations_of_the_single_run(world, chunks) -> None:
    comparing = replace(world, request=world.request.model_copy(update={"goal": "benefit"}))
    expected = list(LocalSimulator(comparing).evaluations(chunks[1:], 200))
    sharded = ShardedSimulator(comparing, Engine(comparing), Memory())
    assert list(sharded.evaluations(chunks[1:], 200)) == expected
    assert all(e.metrics.benefit is not None for row in expected[0] for e in row)


def test_a_chunk_is_empty_if_all_of_it_was_screened_out(world, chunks, single) -> None:
    sharded = ShardedSimulator(world, Engine(world), Memory())
    assert list(sharded.evaluations([[], chunks[0], [], chunks[1]], PATHS)) == [[], single[0], [], single[1]]
    assert list(sharded.evaluations([[]], PATHS)) == [[]]


def test_stored_shards_are_not_computed_again(world, chunks, single, tmp_path) -> None:
    engine = Engine(world)
    shards = FolderShardStore(tmp_path / "new", [tmp_path / "old"])
    assert list(ShardedSimulator(world, engine, shards).evaluations(chunks, PATHS)) == single
    assert len(engine.computed_ids) == len(set(engine.computed_ids)) == SHARDS
    files = sorted((tmp_path / "new").iterdir())
    assert sorted(path.stem for path in files) == sorted(engine.computed_ids)
    (tmp_path / "new").rename(tmp_path / "old")
    Random(3).shuffle(files)
    for removed_file in files[:7]:
        (tmp_path / "old" / removed_file.name).unlink()
    again = Engine(world)
    sharded = ShardedSimulator(world, again, shards)
    assert list(sharded.evaluations(chunks, PATHS)) == single
    assert (sorted(again.computed_ids), sharded.cache_hits) == (sorted(path.stem for path in files[:7]), SHARDS - 7)


def test_bad_stored_shards_are_refused_named_and_computed_again(world, chunks, single) -> None:
    shards, bad_shards = Memory(), list[BadShard]()
    assert list(ShardedSimulator(world, Engine(world), shards).evaluations(chunks, PATHS)) == single
    sound = dict(shards.files)
    short, other, flipped, sealed = sorted(sound)[:4]
    shards.files[short] = sound[short][:-9]
    shards.files[sealed] = replace_body(sound[sealed], zlib.compress(b"too short"))
    shards.files[other] = sound[short]
    shards.files[flipped] = sound[flipped][:-9] + bytes([sound[flipped][-9] ^ 1]) + sound[flipped][-8:]
    engine = Engine(world)
    sharded = ShardedSimulator(world, engine, shards, bad_shards.append)
    assert list(sharded.evaluations(chunks, PATHS)) == single
    flaws = {bad.id: bad.flaw for bad in bad_shards}
    assert flaws == {short: "truncated", other: "another shard", flipped: "damaged", sealed: "damaged"}
    assert sorted(engine.computed_ids) == [short, other, flipped, sealed]
    assert shards.files == sound


def test_an_invalid_shard_is_refused_and_requested_again(world, chunks, single) -> None:
    wrong, bad_shards = list[str](), list[BadShard]()

    def arrange(results: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        if wrong:
            return results
        (truncated_id, start), (sealed, whole), *others = results
        wrong.extend((truncated_id, sealed))
        return [(truncated_id, start[:50]), (sealed, replace_body(whole, zlib.compress(b"too short"))), *others]

    engine, shards = Engine(world, arrange), Memory()
    assert list(ShardedSimulator(world, engine, shards, bad_shards.append).evaluations(chunks, PATHS)) == single
    assert [bad.id for bad in bad_shards] == wrong
    assert engine.computed_ids[SHARDS:] == wrong
    assert shards.files == {id_: Engine.files[id_] for id_ in shards.files}


class PartlyFailing(Engine):
    """Tells of the shards of some configs that they cannot be simulated, and returns these first."""

    def __init__(self, world: World, failing: Sequence[StrategyConfig]) -> None:
        super().__init__(world, lambda results: results[::-1])
        self._failing = World(replace(world.market, warm_up=1), world.request)
        self._configs = world.with_references(failing)

    def compute_once(self, task: Task) -> tuple[str, bytes]:
        if task.configs != self._configs:
            return super().compute_once(task)
        return task.shard.id(), compute(self._failing, task, 1)


def test_the_chunk_that_cannot_be_simulated_fails_and_no_other_one(world, chunks, single) -> None:
    shards = Memory()
    for engine in (PartlyFailing(world, chunks[1]), Engine(world)):  # the second finds all files stored
        evaluated = ShardedSimulator(world, engine, shards).evaluations(chunks, PATHS)
        assert next(evaluated) == single[0]
        with pytest.raises(DataError, match="warm_up"):
            next(evaluated)


def test_an_engine_that_always_sends_invalid_shards_fails(world, chunks) -> None:
    engine = Engine(world, lambda results: [(id_, b"") for id_, _ in results])
    bad_shards: list[BadShard] = []
    with pytest.raises(BadShard, match="truncated"):
        list(ShardedSimulator(world, engine, Memory(), bad_shards.append).evaluations(chunks[:1], PATHS))
    assert len(bad_shards) == ATTEMPTS * SHARDS // 2


def test_a_task_of_another_world_is_refused(world, task) -> None:
    ShardPlanner(world).require_same_problem(task)
    for field in ("problem", "data", "code"):
        other = task.model_copy(update={"shard": task.shard.model_copy(update={field: "0" * 64})})
        with pytest.raises(ValueError, match="another request"):
            ShardPlanner(world).require_same_problem(other)
