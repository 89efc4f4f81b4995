"""Events of the judgement and its explanation: the verdict and the released claims."""

from typing import Literal, TypeAlias

from desk.figures.figures import RenderedClaim
from desk.optimization.result import COLOURS
from desk.runs.events.base import BaseEvent, Row


class VerdictReached(BaseEvent):
    row = Row(stage="judgement", agui="verdict_state")

    event: Literal["verdict_reached"] = "verdict_reached"
    colour: Literal["green", "amber", "red", "infeasible"]
    headline: str

    def line(self) -> str:
        word, sign = COLOURS[self.colour]
        return f"{sign} {word}: {self.headline}"


class ClaimReleased(BaseEvent):
    row = Row(stage="judgement", live=False, trace="counted", agui="text_message")

    event: Literal["claim_released"] = "claim_released"
    author: str
    claim: RenderedClaim

    def line(self) -> str:
        return f"{self.claim.section}: {self.claim.text}"


Event: TypeAlias = VerdictReached | ClaimReleased
