"""What was found when data were looked at: light words, for reports and doors."""

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["PASS", "WARN", "FAIL", "SKIP"]


class Gate(BaseModel):
    """One look at the data. `SKIP` says in `detail` why it was not taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    status: Status
    detail: str
    rows: tuple[str, ...] = ()
    """The first places of what was found."""


class DataReport(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    digest: str
    first: datetime.date | None
    last: datetime.date | None
    sessions: int
    assets: tuple[str, ...]
    gates: tuple[Gate, ...]

    @property
    def usable(self) -> bool:
        return all(gate.status != "FAIL" for gate in self.gates)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What a reader of any result on this data must be told."""
        return tuple(gate.detail for gate in self.gates if gate.status == "WARN")
