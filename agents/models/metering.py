"""What one answer takes, whoever gives it in the end, and whether it may be asked for at all."""

import time
from typing import Any, Literal

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessageChunk

from agents.models.factory import NamedModel
from agents.models.prices import check_priced, usage_of
from desk.governance.budgets import BudgetSpent, Spending, Totals
from desk.governance.scope import Scope
from desk.governance.spending import charge, load_totals
from desk.governance.usage import AgentName, Usage
from quant.numeric.frozen import Frozen
from store.records import Put


class Notice(Frozen):
    """Something that a person should know, while the agent goes on."""

    code: Literal["budget_nearly_spent", "price_unknown"]
    subject: str
    """A budget, or the name of a model."""


class Meter(BaseCallbackHandler):
    """Counts the calls of one answer; listens to its streams, since one may break after it told what it took."""

    run_inline = True

    def __init__(self, agent: AgentName, scope: Scope) -> None:
        self._agent: AgentName = agent
        self._scope = scope
        self._begun = time.monotonic()
        self._told: Any = None
        self._spent = Spending()
        self._before = Totals()

    async def allow(self, model: NamedModel) -> None:
        """Before every call: `BudgetSpent` if nothing is left for it."""
        self._told = None
        budgets = self._scope.budgets
        if not (limits := budgets.limits()):
            return
        if model.price is None:
            check_priced(budgets, [model.name])
        self._before = await load_totals(self._scope, self._agent)
        found = budgets.exhausted(self._before + self._spent)
        if found is not None:
            raise BudgetSpent(found, limits[found])

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_: Any) -> None:  # noqa: ARG002
        message = getattr(chunk, "message", None)
        if isinstance(message, AIMessageChunk) and message.usage_metadata:
            self._told = message.usage_metadata

    def failed(self, model: NamedModel, *, again: bool) -> None:
        """A call ended without an answer; what it told of its tokens is paid for."""
        lost = Usage() if self._told is None else usage_of(self._told, model.price, model.cached_for)
        self._add(lost.model_copy(update={"retries": int(again)}), () if self._told is None else (model.name,))
        self._told = None

    def answered(self, model: NamedModel, metadata: Any) -> Usage:
        """All that the answer took, the calls that broke off included."""
        taken = usage_of(metadata, model.price, model.cached_for).model_copy(update={"answers": 1})
        self._add(taken, (model.name,))
        return self._spent.usage

    def notices(self, model: NamedModel) -> list[Notice]:
        """What is to be told with the answer, and again when it is read out."""
        unknown = [Notice(code="price_unknown", subject=model.name)] if model.price is None else []
        near = self._scope.budgets.nearly_exhausted(self._before + self._spent)
        return [*unknown, *(Notice(code="budget_nearly_spent", subject=name) for name in near)]

    async def keep(self, answer: Put) -> bool:
        """Store the answer together with what it took; False if another process has stored one."""
        return await charge(self._scope, self._agent, self._timed(), answer)

    async def give_up(self) -> None:
        """Store what was taken without an answer, if anything was."""
        if self._spent != Spending():
            await charge(self._scope, self._agent, self._timed())

    def _add(self, usage: Usage, models: tuple[str, ...]) -> None:
        self._spent += Spending(usage=usage, dollars=usage.dollars or 0.0, models=models)

    def _timed(self) -> Spending:
        seconds = Usage(seconds=time.monotonic() - self._begun)
        return self._spent + Spending(usage=seconds)
