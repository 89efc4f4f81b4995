"""Reads and verifies the output folder of a search."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from desk.compute.container.job_files import SUMMARY, BadOutput, Summary, Work, decode_summary, decode_trials
from quant.strategies.trial import Trial

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats


def read_result(folder: Path, work: Work) -> "tuple[Summary, list[tuple[Trial, Floats]]]":
    """The summary and the trials in the order of proposal; raises `BadOutput` for a missing or invalid file."""
    summary = decode_summary(_content(folder, SUMMARY), work)
    trials: list[tuple[Trial, Floats]] = []
    for name, digest in sorted(summary.files.items()):
        if Path(name).name != name:
            raise BadOutput(SUMMARY, "damaged", f"it lists {name!r}, which is not a file of this folder")
        content = _content(folder, name)
        if name.startswith("trials-"):
            trials += decode_trials(name, content, work)
        if hashlib.sha256(content).hexdigest() != digest:
            raise BadOutput(name, "damaged", f"its digest differs from that in {SUMMARY}")
    trials.sort(key=lambda each: each[0].number)
    first, numbers = work.job.first, [trial.number for trial, _ in trials]
    if len(trials) != summary.trials or numbers != list(range(first, first + len(numbers))):
        raise BadOutput(SUMMARY, "damaged", f"its {summary.trials} trials differ from those in its files")
    return summary, trials


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise BadOutput(name, "missing") from error
