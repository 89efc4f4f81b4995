"""Approvals of launches and of holdout openings: thresholds, request, decision and their record."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from desk.base.errors import Conflicting
from desk.base.text import title
from desk.governance.estimates import Estimate
from quant.numeric.frozen import Frozen
from store.records import Key, Put

if TYPE_CHECKING:
    from desk.governance.estimates import Machines
    from store.store import Store

KIND = "approval"

Subject: TypeAlias = Literal["launch", "holdout"]
"""What is approved: a job above a threshold, or the opening of the locked holdout."""


class Thresholds(Frozen):
    """Limits above which a job needs approval; None disables a limit."""

    evaluations: Annotated[int, Field(ge=0)] | None = 20_000
    """Most evaluations without approval."""
    dollars: Annotated[float, Field(ge=0.0)] | None = 5.0
    """Most US dollars without approval."""
    instances: Annotated[int, Field(ge=0)] | None = 0
    """Most paid instances without approval."""

    def exceeded(self, estimate: Estimate) -> tuple[str, ...]:
        """Return the names of the thresholds that `estimate` exceeds."""
        return tuple(
            name
            for name in Thresholds.model_fields
            if (bound := getattr(self, name)) is not None and getattr(estimate, name) > bound
        )


DEFAULT_THRESHOLDS = Thresholds()


class ApprovalRequest(Frozen):
    """The approval that a run requests, and why."""

    subject: Subject
    estimate: Estimate | None
    exceeded: tuple[str, ...]
    """Thresholds that the estimate exceeds."""
    thresholds: Thresholds
    at: datetime
    request_digest: str = ""
    """Digest of the whole request at that time."""
    instance_type: str = ""
    """Type of the paid instances; empty for local machines."""
    dollars_per_hour: float | None = None
    """Price of one instance; None without instances or with an unknown price."""

    def covers(self, machines: "Machines") -> bool:
        """Whether `machines` are no more and no more expensive than the request names."""
        if self.estimate is None or machines.instances > self.estimate.instances:
            return False
        if machines.dollars_per_hour is None or self.dollars_per_hour is None:
            return machines.instance_type == self.instance_type
        return machines.dollars_per_hour <= self.dollars_per_hour

    def describe(self) -> str:
        """The question for a person, with its reason."""
        if self.subject == "holdout":
            return "whether the locked holdout may be opened"
        if self.estimate is None:
            return f"the job exceeds the threshold of {', '.join(self.exceeded)}"
        above = [
            f"{(amount := getattr(self.estimate, name)):g} {name if amount != 1 else name[:-1]} "
            f"(above {getattr(self.thresholds, name):g})"
            for name in self.exceeded
        ]
        return f"the job would take {', '.join(above)}"


class Ruling(Frozen):
    """Verdict on a request; an edit names the changes and approves the rest."""

    verdict: Literal["approved", "edited", "rejected"]
    """`edited` approves the run with the changes."""
    reason: Annotated[str, Field(max_length=500)] = ""
    """Stored with the decision; required for a rejection."""
    trials: Annotated[int, Field(ge=10, le=5_000)] | None = None
    """Trials of the edited run."""
    paths: Annotated[int, Field(ge=100, le=100_000)] | None = None
    """Paths of each scenario of the edited run."""

    @model_validator(mode="after")
    def _fits_its_verdict(self) -> Self:
        changes = (self.trials, self.paths) != (None, None)
        if changes != (self.verdict == "edited"):
            msg = (
                f"trials and paths do not fit the verdict {self.verdict}; "
                "expected one or both with edited, none otherwise"
            )
            raise ValueError(msg)
        if self.verdict == "rejected" and not self.reason.strip():
            msg = "reason is empty; expected 1 to 500 characters for a rejection"
            raise ValueError(msg)
        return self

    def has_same_effect(self, other: "Ruling") -> bool:
        """Whether both have the same verdict and changes; author, time and reason are ignored."""
        return (self.verdict, self.trials, self.paths) == (other.verdict, other.trials, other.paths)


class ApprovalDecision(Ruling):
    """A ruling with its author and time."""

    by: str
    at: datetime

    def describe(self, subject: Subject) -> str:
        changes = [f"{value} {name}" for name in ("trials", "paths") if (value := getattr(self, name))]
        parts = [f"{title(subject)} {self.verdict} by {self.by}", *changes]
        return ", ".join(parts) + (f": {self.reason}" if self.reason else "")


class Approval(Frozen):
    """Approval record of a run and a subject; the first decision is final."""

    asked: ApprovalRequest
    decided: ApprovalDecision | None = None
    question: str = ""
    """Id in the shared list of questions; empty in records that predate the list."""
    second_person: bool = False
    """Whether a user other than the requester must decide."""
    own_decision: bool = False
    """Whether the requester may decide, so that no other user does."""

    @property
    def granted(self) -> bool:
        return self.decided is not None and self.decided.verdict != "rejected"


class NoApprovalRequested(Conflicting):
    """The run has no pending approval on the subject."""

    code = "nothing_asked"


class AlreadyDecided(Conflicting):
    """An earlier, different decision is stored and final."""

    code = "already_decided"


async def load_approval(store: "Store", owner: str, run: str, subject: Subject = "launch") -> Approval | None:
    record = await store.records.get(approval_key(owner, run, subject))
    return None if record is None else Approval.model_validate(record.document)


async def decide(
    store: "Store",
    owner: str,
    run: str,
    subject: Subject,
    decision: ApprovalDecision,
    *,
    extra_puts: Sequence[Put] = (),
) -> Approval:
    """Store the decision and `extra_puts` in one transaction; `Conflict` after a concurrent write."""
    key = approval_key(owner, run, subject)
    record = await store.records.get(key)
    if record is None:
        accepted = "a run that `python -m api runs` shows as waiting" if subject == "launch" else "ask for it first"
        raise NoApprovalRequested(f"run: {run!r} waits for no decision on its {subject}; expected {accepted}")
    approval = Approval.model_validate(record.document)
    if approval.decided is None:
        approval = approval.model_copy(update={"decided": decision})
        await store.records.put_many([Put(key, approval.model_dump(mode="json"), record.version), *extra_puts])
    elif not approval.decided.has_same_effect(decision):
        first = approval.decided
        raise AlreadyDecided(
            f"run: the {subject} of {run!r} was {first.verdict} by {first.by} on {first.at:%Y-%m-%d at %H:%M} UTC; "
            "expected that decision, or a new run"
        )
    return approval


def approval_key(owner: str, run: str, subject: Subject) -> Key:
    return Key(owner, KIND, f"{run}.{subject}")
