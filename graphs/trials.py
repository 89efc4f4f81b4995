"""The trials of a run as its trace tells them."""

from collections.abc import Sequence
from contextlib import aclosing

from graphs.log import Place
from quant.trial import Trial
from store.records import every
from tools.context import Context
from tools.trace import TraceEvent, TrialFinished
from tools.trials import KIND


class Telling:
    """Makes the events of finished trials, each once and in the order of number."""

    def __init__(self, context: Context, place: Place, stored: Sequence[Trial], first: int) -> None:
        self._context = context
        self._place = place
        self._trials = list(stored)
        self._told = first

    async def until(self, end: int) -> list[TraceEvent]:
        """Those below the number `end` that were not told.

        Their objectives are those among all trials below `end`, whatever more there is in the store: regret is against
        the best of the trials asked about, so that every execution tells the same.
        """
        from tools.evaluation import objectives

        await self._read(end)
        trials = [trial for trial in self._trials[:end] if not trial.screened]
        found = zip(trials, objectives(self._context.request, trials) if trials else (), strict=True)
        objective = {trial.number: float(value) for trial, value in found}
        told, self._told = self._trials[self._told : end], max(self._told, end)
        return [self._event(trial, objective.get(trial.number)) for trial in told]

    async def _read(self, end: int) -> None:
        """The trials in the store are the first ones by number, whoever made them: only the newest can be missing."""
        context, known = self._context, len(self._trials)
        if known >= end:
            return
        fresh: list[Trial] = []
        found = every(context.store.records, context.owner, KIND, prefix=f"{context.run}.", newest_first=True)
        async with aclosing(found):
            async for record in found:
                if record.document["number"] < known:
                    break
                fresh.append(Trial.model_validate(record.document))
        self._trials += sorted(fresh, key=lambda trial: trial.number)

    def _event(self, trial: Trial, objective: float | None) -> TraceEvent:
        said = {"trial": trial.number, "digest": trial.digest, "screened": trial.screened, "objective": objective}
        return self._place.make(TrialFinished, trial.number, **said)
