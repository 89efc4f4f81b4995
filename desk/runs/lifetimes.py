"""Time after which a job that waits expires."""

from datetime import datetime, timedelta

from desk.runs.states import JobState
from quant.numeric.frozen import Frozen


class Lifetimes(Frozen):
    """Time that a job may spend in a state in which it waits; a draft counts from its last edit."""

    draft: timedelta = timedelta(days=90)
    queued: timedelta = timedelta(days=7)
    waiting: timedelta = timedelta(days=30)

    def expiry(self, state: JobState, since: datetime) -> datetime | None:
        """When a job that is in `state` since that time expires; None if the state has no lifetime."""
        return since + getattr(self, state) if state in Lifetimes.model_fields else None

    def reason(self, state: JobState) -> str:
        """Why a job in `state` has expired."""
        days = getattr(self, state) / timedelta(days=1)
        return f"{_WAITED[state]} for more than {days:g} days"


DEFAULT_LIFETIMES = Lifetimes()
_WAITED: dict[JobState, str] = {
    "draft": "it was not edited",
    "queued": "it waited in the queue",
    "waiting": "it waited for approval",
}
