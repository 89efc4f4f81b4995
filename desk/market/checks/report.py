"""Types of data quality reports, light to import."""

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["PASS", "WARN", "FAIL", "SKIP"]


class Gate(BaseModel):
    """Result of one check of the data; for `SKIP`, `detail` gives the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Name of the check."""
    status: Status
    detail: str
    """What was found, for people."""
    rows: tuple[str, ...] = ()
    """The first places of the findings."""


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
        """Warnings that every result on these data shows."""
        return tuple(gate.detail for gate in self.gates if gate.status == "WARN")
