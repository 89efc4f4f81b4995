"""Measured durations of finished runs, from which the error of an estimated time is known."""

from statistics import median
from typing import TYPE_CHECKING

from desk.governance.estimates import ExpectedTime, Machines
from quant.numeric.frozen import Frozen
from store.errors import Conflict
from store.keys import SYSTEM
from store.records import Key

if TYPE_CHECKING:
    from store.store import Store

KIND = "duration"
DEFAULT_ERROR = 2.0
"""Factor by which the time may be above or below the estimate where too few runs have finished."""
FEWEST_RUNS, MOST_RUNS = 3, 50
TAIL = 0.1
"""Probability on each side of the interval, as far as the number of runs allows."""


class Duration(Frozen):
    """A finished run, and its measured time over its estimated time."""

    run: str
    ratio: float


class Durations(Frozen):
    """The latest finished runs on the same machines, oldest first."""

    runs: tuple[Duration, ...] = ()

    def with_run(self, run: str, *, measured: float, estimated: float) -> "Durations":
        """Return the durations with a further run; a run counts once."""
        others = [each for each in self.runs if each.run != run]
        return Durations(runs=(*others, Duration(run=run, ratio=measured / estimated))[-MOST_RUNS:])

    def expected_time(self, seconds: float) -> ExpectedTime:
        """The time that an estimate of `seconds` stands for, with its error.

        The k-th smallest and the k-th largest of n exchangeable ratios contain a further one with probability
        (n + 1 - 2k) / (n + 1) (Wilks, 1941).
        """
        count = len(self.runs)
        if count < FEWEST_RUNS:
            low, high = seconds / DEFAULT_ERROR, seconds * DEFAULT_ERROR
            return ExpectedTime(seconds=round(seconds, 1), low=round(low, 1), high=round(high, 1))
        ratios = sorted(each.ratio for each in self.runs)
        rank = max(1, int((count + 1) * TAIL))
        return ExpectedTime(
            seconds=round(seconds * median(ratios), 1),
            low=round(seconds * ratios[rank - 1], 1),
            high=round(seconds * ratios[-rank], 1),
            runs=count,
            coverage=round((count + 1 - 2 * rank) / (count + 1), 3),
        )


NO_DURATIONS = Durations()


async def load_durations(store: "Store", machines: Machines) -> Durations:
    record = await store.records.get(_key(machines))
    return NO_DURATIONS if record is None else Durations.model_validate(record.document)


async def save_duration(store: "Store", machines: Machines, run: str, *, measured: float, estimated: float) -> None:
    """Add a finished run to the durations of its machines."""
    while True:
        record = await store.records.get(_key(machines))
        before = NO_DURATIONS if record is None else Durations.model_validate(record.document)
        after = before.with_run(run, measured=measured, estimated=estimated)
        try:
            await store.records.put(
                _key(machines), after.model_dump(mode="json"), expected=0 if record is None else record.version
            )
        except Conflict:
            continue
        return


def _key(machines: Machines) -> Key:
    parts = (machines.kind, machines.instances, machines.cores, machines.instance_type or "here")
    return Key(SYSTEM, KIND, " ".join(map(str, parts)))
