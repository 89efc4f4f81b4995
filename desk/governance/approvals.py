"""What waits for a person: what was asked, what was decided, and the one record that holds both."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from desk.base.errors import Conflicting
from desk.governance.estimates import Estimate
from quant.numeric.frozen import Frozen
from store.records import Key, Put

if TYPE_CHECKING:
    from desk.governance.estimates import Machines
    from store.store import Store

KIND = "approval"

Subject: TypeAlias = Literal["launch", "holdout"]
"""A job above a threshold; the opening of the locked holdout."""


class Thresholds(Frozen):
    """What a job may take before a person is asked; None asks for nothing."""

    evaluations: Annotated[int, Field(ge=0)] | None = 20_000
    dollars: Annotated[float, Field(ge=0.0)] | None = 5.0
    instances: Annotated[int, Field(ge=0)] | None = 0

    def exceeded(self, estimate: Estimate) -> tuple[str, ...]:
        """Names of the thresholds that `estimate` is above."""
        return tuple(
            name
            for name in Thresholds.model_fields
            if (bound := getattr(self, name)) is not None and getattr(estimate, name) > bound
        )


USUAL = Thresholds()


class Asked(Frozen):
    """What a run asks a person, and why."""

    subject: Subject
    estimate: Estimate | None
    exceeded: tuple[str, ...]
    """Thresholds that the estimate is above."""
    thresholds: Thresholds
    at: datetime
    request_digest: str = ""
    """Names the whole request, as it was asked for."""
    instance_type: str = ""
    dollars_per_hour: float | None = None
    """Of one instance; None where there is none, or its price is not known."""

    def covers(self, machines: "Machines") -> bool:
        """Whether so much was asked for: no more instances, and no dearer ones."""
        if self.estimate is None or machines.instances > self.estimate.instances:
            return False
        if machines.dollars_per_hour is None or self.dollars_per_hour is None:
            return machines.instance_type == self.instance_type
        return machines.dollars_per_hour <= self.dollars_per_hour


class Ruling(Frozen):
    """What a person says about it; an edit names what is changed and approves the rest."""

    verdict: Literal["approved", "edited", "rejected"]
    reason: Annotated[str, Field(max_length=500)] = ""
    trials: Annotated[int, Field(ge=10, le=5_000)] | None = None
    paths: Annotated[int, Field(ge=100, le=100_000)] | None = None

    @model_validator(mode="after")
    def _fits_its_verdict(self) -> Self:
        changes = (self.trials, self.paths) != (None, None)
        if changes != (self.verdict == "edited"):
            msg = f"trials and paths do not fit the verdict {self.verdict}; expected one or both with edited alone"
            raise ValueError(msg)
        if self.verdict == "rejected" and not self.reason.strip():
            msg = "reason is empty; expected a reason of 1 to 500 characters for what is rejected"
            raise ValueError(msg)
        return self

    def same_as(self, other: "Ruling") -> bool:
        """Whether both come to the same, whoever decided when and why."""
        return (self.verdict, self.trials, self.paths) == (other.verdict, other.trials, other.paths)


class Decided(Ruling):
    """A ruling, and whose it is."""

    by: str
    at: datetime


class Approval(Frozen):
    """The record of a run and a subject; the first decision holds."""

    asked: Asked
    decided: Decided | None = None
    question: str = ""
    """Under which others find it who may decide; empty in one that was asked before there were such lists."""
    second_person: bool = False
    """Whether it was asked where people sign in, for another one than whoever asked to decide there."""

    @property
    def granted(self) -> bool:
        return self.decided is not None and self.decided.verdict != "rejected"


class NothingAsked(Conflicting):
    """The run waits for no decision on the subject."""

    code = "nothing_asked"


class AlreadyDecided(Conflicting):
    """Another decision was there before; it holds."""

    code = "already_decided"


async def approval_of(store: "Store", owner: str, run: str, subject: Subject = "launch") -> Approval | None:
    record = await store.records.get(approval_key(owner, run, subject))
    return None if record is None else Approval.model_validate(record.document)


async def decide(
    store: "Store", owner: str, run: str, subject: Subject, decided: Decided, *, besides: Sequence[Put] = ()
) -> Approval:
    """Record the decision, and `besides` in the same transaction; `Conflict` if somebody wrote meanwhile."""
    key = approval_key(owner, run, subject)
    record = await store.records.get(key)
    if record is None:
        allowed = "a run that `python -m api runs` shows as waiting" if subject == "launch" else "ask for it first"
        raise NothingAsked(f"run: {run!r} waits for no decision on its {subject}; expected {allowed}")
    approval = Approval.model_validate(record.document)
    if approval.decided is None:
        approval = approval.model_copy(update={"decided": decided})
        await store.records.put_many([Put(key, approval.model_dump(mode="json"), record.version), *besides])
    elif not approval.decided.same_as(decided):
        first = approval.decided
        raise AlreadyDecided(
            f"run: the {subject} of {run!r} was {first.verdict} by {first.by} on {first.at:%Y-%m-%d at %H:%M} UTC; "
            "expected that decision, or a new run"
        )
    return approval


def approval_key(owner: str, run: str, subject: Subject) -> Key:
    return Key(owner, KIND, f"{run}.{subject}")
