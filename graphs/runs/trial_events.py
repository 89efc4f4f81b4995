"""The trials of a run as its trace tells them."""

from collections.abc import Sequence
from contextlib import aclosing

from desk.optimization.repositories.trial_repository import KIND
from desk.runs.context import Context
from desk.runs.events import TraceEvent, TrialFinished
from graphs.runs.event_log import Place
from quant.strategies.trial import Trial
from store.records import iterate_records


class Telling:
    """Makes the events of finished trials, each once and in the order of number."""

    def __init__(self, context: Context, place: Place, stored: Sequence[Trial], first: int) -> None:
        self._context = context
        self._place = place
        self._trials = list(stored)
        self._told = first

    async def until(self, end: int) -> list[TraceEvent]:
        """Those below the number `end` that were not told."""
        await self._read(end)
        told, self._told = self._trials[self._told : end], max(self._told, end)
        return [self._event(trial) for trial in told]

    async def _read(self, end: int) -> None:
        """The trials in the store are the first ones by number, whoever made them: only the newest can be missing."""
        context, known = self._context, len(self._trials)
        if known >= end:
            return
        fresh: list[Trial] = []
        found = iterate_records(context.store.records, context.owner, KIND, prefix=f"{context.run}.", newest_first=True)
        async with aclosing(found):
            async for record in found:
                if record.document["number"] < known:
                    break
                fresh.append(Trial.model_validate(record.document))
        self._trials += sorted(fresh, key=lambda trial: trial.number)

    def _event(self, trial: Trial) -> TraceEvent:
        said = {"trial": trial.number, "digest": trial.digest, "screened": trial.screened}
        return self._place.make(TrialFinished, trial.number, **said, objective=self._objective(trial))

    def _objective(self, trial: Trial) -> float | None:
        """Of the trial alone: without regret, which changes with every other trial, so that trials can be compared."""
        from desk.optimization.evaluation import objectives

        return None if trial.screened else float(objectives(self._context.request, [trial])[0])
