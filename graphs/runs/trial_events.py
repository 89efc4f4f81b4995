"""Makes the trace events of finished trials."""

from collections.abc import Sequence
from contextlib import aclosing

from desk.optimization.repositories.trial_repository import KIND
from desk.runs.context import Context
from desk.runs.events.search import TrialFinished
from desk.runs.events.table import TraceEvent
from graphs.runs.event_log import NodeLog
from quant.strategies.trial import Trial
from store.records import MAX_PAGE, iterate_records


class TrialEvents:
    """Creates the events of finished trials, each once and in the order of the trial numbers."""

    def __init__(self, context: Context, node_log: NodeLog, stored_trials: Sequence[Trial], first: int) -> None:
        self._context = context
        self._node_log = node_log
        self._trials = list(stored_trials)
        self._emitted = first

    async def up_to(self, end: int) -> list[TraceEvent]:
        """Events of the trials below number `end` that have no event yet."""
        await self._read(end)
        new_trials, self._emitted = self._trials[self._emitted : end], max(self._emitted, end)
        return [self._event(trial) for trial in new_trials]

    async def _read(self, end: int) -> None:
        """The stored trials are a prefix by number, whichever process stored them; only the newest can be missing.

        The first time all trials of the run are missing; read by id, the store looks at none of other runs.
        """
        context, known_count = self._context, len(self._trials)
        if known_count >= end:
            return
        fresh: list[Trial] = []
        records = iterate_records(
            context.store.records,
            context.owner,
            KIND,
            prefix=f"{context.run}.",
            newest_first=known_count > 0,
            limit=min(end - known_count, MAX_PAGE) if known_count else MAX_PAGE,
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
        """The trial's own objective, without regret, which depends on the other trials."""
        from desk.optimization.evaluation import objectives  # lazy: imports numba and scipy

        return None if trial.screened else float(objectives(self._context.request, [trial])[0])
