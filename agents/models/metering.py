"""Usage and budgets of model calls: counts the tokens and dollars of an answer and refuses calls beyond a budget."""

import time
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessageChunk

from agents.models.factory import NamedModel
from agents.models.prices import check_priced, usage_of
from agents.models.stream_events import Notice
from desk.governance.budgets import BudgetSpent, Spending, Totals
from desk.governance.scope import Scope
from desk.governance.spending import charge, load_totals
from desk.governance.usage import AgentName, Usage
from store.records import Put


class UsageMeter(BaseCallbackHandler):
    """Counts the usage of all calls for one answer; it listens to streams, because a stream may break after reporting.

    One meter covers retries and fallbacks, and charges them together.
    """

    run_inline = True

    def __init__(self, agent: AgentName, scope: Scope) -> None:
        self._agent: AgentName = agent
        self._scope = scope
        self._start = time.monotonic()
        self._streamed_usage: Any = None
        self._spent = Spending()
        self._before = Totals()

    async def check_budgets(self, model: NamedModel) -> None:
        """Before every call: raises `BudgetSpent` if a budget is used up."""
        self._streamed_usage = None
        budgets = self._scope.budgets
        if not (limits := budgets.limits()):
            return
        if model.price is None:
            check_priced(budgets, [model.name])
        self._before = await load_totals(self._scope, self._agent)
        exceeded = budgets.exhausted(self._before + self._spent)
        if exceeded is not None:
            raise BudgetSpent(exceeded, limits[exceeded])

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_: Any) -> None:  # noqa: ARG002
        message = getattr(chunk, "message", None)
        if isinstance(message, AIMessageChunk) and message.usage_metadata:
            self._streamed_usage = message.usage_metadata

    def record_failure(self, model: NamedModel, *, again: bool, metadata: Any = None) -> None:
        """Count a call whose answer is missing or rejected; `again` if another follows.

        Its tokens are those of `metadata`, or those that its stream reported.
        """
        streamed = metadata or self._streamed_usage
        usage = Usage() if streamed is None else usage_of(streamed, model.price, model.cached_for)
        self._add(usage.model_copy(update={"retries": int(again)}), () if streamed is None else (model.name,))
        self._streamed_usage = None

    def record_answer(self, model: NamedModel, metadata: Any) -> Usage:
        """Count the answering call and return the usage of all calls, including the failed ones."""
        usage = usage_of(metadata, model.price, model.cached_for).model_copy(update={"answers": 1})
        self._add(usage, (model.name,))
        return self._spent.usage

    def notices(self, model: NamedModel) -> list[Notice]:
        """Notices to stream with the answer, now and whenever it is loaded again."""
        unknown = [Notice(code="price_unknown", subject=model.name)] if model.price is None else []
        near = self._scope.budgets.nearly_exhausted(self._before + self._spent)
        return [*unknown, *(Notice(code="budget_nearly_spent", subject=name) for name in near)]

    async def store_answer(self, answer: Put) -> bool:
        """Store the answer together with its usage; False if another process has stored one."""
        return await charge(self._scope, self._agent, self._timed(), answer)

    async def store_usage(self) -> None:
        """Store the usage of calls that gave no answer, if there is any."""
        if self._spent != Spending():
            await charge(self._scope, self._agent, self._timed())

    def _add(self, usage: Usage, models: tuple[str, ...]) -> None:
        self._spent += Spending(usage=usage, dollars=usage.dollars or 0.0, models=models)

    def _timed(self) -> Spending:
        seconds = Usage(seconds=time.monotonic() - self._start)
        return self._spent + Spending(usage=seconds)
