"""What a search has left in its folder, read whole or refused by name."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from desk.compute.container.job_files import SUMMARY, BadOutput, Summary, Work, decode_summary, decode_trials
from quant.strategies.trial import Trial

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_result(folder: Path, work: Work) -> "tuple[Summary, list[tuple[Trial, NDArray[np.float64]]]]":
    """The trials in the order of proposal; `BadOutput` names a file that must not be used."""
    summary = decode_summary(_content(folder, SUMMARY), work)
    found: list[tuple[Trial, NDArray[np.float64]]] = []
    for name, digest in sorted(summary.files.items()):
        if Path(name).name != name:
            raise BadOutput(SUMMARY, "damaged", f"it lists {name!r}, which is no file of this folder")
        content = _content(folder, name)
        if name.startswith("trials-"):
            found += decode_trials(name, content, work)
        if hashlib.sha256(content).hexdigest() != digest:
            raise BadOutput(name, "damaged", f"its digest is not that in {SUMMARY}")
    found.sort(key=lambda each: each[0].number)
    first, numbers = work.job.first, [trial.number for trial, _ in found]
    if len(found) != summary.trials or numbers != list(range(first, first + len(numbers))):
        raise BadOutput(SUMMARY, "damaged", f"its {summary.trials} trials are not those in its files")
    return summary, found


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise BadOutput(name, "missing") from error
