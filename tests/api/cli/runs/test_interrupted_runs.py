"""A run whose execution ended before it did is listed as interrupted, until it is executed again."""

from contextlib import closing

import pytest

from api.cli.output.results import print_summaries
from api.cli.runs.local import LocalRuns
from api.cli.runs.port import CompletedRun
from api.settings import Settings
from desk.optimization.request import OptimizationRequest
from desk.runs.events.table import TraceEvent
from quant.worlds.scenario import BUILT_IN
from tests.graphs.dependencies import FIRST_DAY

REQUEST = OptimizationRequest(
    name="Closed too early",
    trials=10,
    scenarios=(BUILT_IN[0].model_copy(update={"paths": 100, "years": 1}),),
    first_day=FIRST_DAY,
)


class TerminalClosed(Exception):
    pass


def close_while_searching(event: TraceEvent) -> None:
    if event.event == "estimate_made":
        raise TerminalClosed


def test_an_interrupted_run_is_listed_as_interrupted_until_it_is_resumed(tmp_path, capsys) -> None:
    settings = Settings.model_validate({"STRATIGOS_HOME": tmp_path})
    with closing(LocalRuns(settings)) as runs:
        run = runs.submit(REQUEST).run
        assert not runs.summaries()[0].interrupted, "it has not begun"
        with pytest.raises(TerminalClosed):
            runs.follow(run, close_while_searching)
    with closing(LocalRuns(settings)) as runs:
        [summary] = runs.summaries()
        assert (summary.state, summary.interrupted) == ("running", True)
        print_summaries([summary], as_json=False)
        listed = capsys.readouterr().out
        assert "running" not in listed
        assert f"Interrupted: {run[:12]} (python -m api optimize --resume RUN)" in listed
    with closing(LocalRuns(settings)) as runs:
        assert runs.resume(run).run == run
        assert isinstance(runs.follow(run, lambda _: None), CompletedRun)
        [summary] = runs.summaries()
        assert (summary.state, summary.interrupted) == ("completed", False)
