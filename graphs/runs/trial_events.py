"""Makes the trace events of finished trials."""

from collections.abc import Sequence
from contextlib import aclosing

from desk.optimization.repositories.trial_repository import KIND
from desk.runs.context import Context
from desk.runs.events import TraceEvent, TrialFinished
from graphs.runs.event_log import NodeLog
from quant.strategies.trial import Trial
from store.records import iterate_records


class TrialEvents:
    """Makes the events of finished trials, each once and in the order of number."""

    def __init__(self, context: Context, node_log: NodeLog, stored_trials: Sequence[Trial], first: int) -> None:
        self._context = context
        self._node_log = node_log
        self._trials = list(stored_trials)
        self._emitted = first

    async def up_to(self, end: int) -> list[TraceEvent]:
        """Those below the number `end` that were not told."""
        await self._read(end)
        new_trials, self._emitted = self._trials[self._emitted : end], max(self._emitted, end)
        return [self._event(trial) for trial in new_trials]

    async def _read(self, end: int) -> None:
        """The trials in the store are the first ones by number, whoever made them: only the newest can be missing."""
        context, known_count = self._context, len(self._trials)
        if known_count >= end:
            return
        fresh: list[Trial] = []
        records = iterate_records(
            context.store.records, context.owner, KIND, prefix=f"{context.run}.", newest_first=True
        )
        async with aclosing(records):
            async for record in records:
                if record.document["number"] < known_count:
                    break
                fresh.append(Trial.model_validate(record.document))
        self._trials += sorted(fresh, key=lambda trial: trial.number)

    def _event(self, trial: Trial) -> TraceEvent:
        fields = {"trial": trial.number, "digest": trial.digest, "screened": trial.screened}
        return self._node_log.make(TrialFinished, trial.number, **fields, objective=self._objective(trial))

    def _objective(self, trial: Trial) -> float | None:
        """Of the trial alone: without regret, which changes with every other trial, so that trials can be compared."""
        from desk.optimization.evaluation import objectives

        return None if trial.screened else float(objectives(self._context.request, [trial])[0])
