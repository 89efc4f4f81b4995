"""A result as a file for other programs."""

import csv
import io

from quant.strategy import StrategyConfig
from quant.trial import Trial
from tools.optimization import OptimizationResult

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CONFIG = tuple(StrategyConfig.model_fields)


def as_json(result: OptimizationResult) -> str:
    return result.model_dump_json(indent=2) + "\n"


def as_csv(result: OptimizationResult, trials: list[Trial]) -> str:
    """One row for each trial; what a spreadsheet would take for a formula is quoted."""
    configs = {trial.digest: trial.config for trial in trials}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    columns = (
        "number",
        "digest",
        "objective",
        "volatility",
        "excess_return",
        "drawdown",
        "feasible",
        "screened",
    )
    writer.writerow(["strategy", *columns, "chosen", *_CONFIG])
    for trial in result.trials:
        config = configs.get(trial.digest)
        values = [getattr(trial, column) for column in columns]
        parameters = [getattr(config, name, None) for name in _CONFIG]
        if config is None:
            parameters[_CONFIG.index("weight_function")] = trial.weight_function
        chosen = result.winner is not None and trial.digest == result.winner.digest
        row = [result.manifest.request.name, *values, chosen, *parameters]
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: object) -> object:
    """Numbers stay numbers; text that begins like a formula becomes plain text."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
