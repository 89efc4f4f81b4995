"""Folders that the steps of a pipeline exchange, each with a marker file that it is complete."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationError

from desk.base.code_version import code_version
from desk.compute.container.job_files import FORMAT, IncompatibleWork
from desk.compute.pipeline.definition import StepName
from desk.optimization.repositories.ledger import Entries
from desk.optimization.request import StoredRequest
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen

MARKER_FILE = "done.json"


class PipelineRequest(Frozen):
    """`request.json`: the input of a pipeline; `prices.npz` is in the same folder."""

    format: int = FORMAT
    code: str
    data: str
    owner: str
    run: str
    """Id of the pipeline, equal for the same request, prices and code."""
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{32,}$")]
    """Shared secret with which the instances of a search authenticate to each other."""
    request: StoredRequest
    ledger: Entries = Field(default_factory=dict[str, str | None])
    """Earlier trials of the owner on these prices; their series are not among the files of a pipeline."""


class PipelineOutput(NamedTuple):
    """Output of the last step."""

    result: OptimizationResult
    history: bytes | None
    """`history.f64`, the array behind the `history_series` of the result."""
    ledger: bytes | None
    """`ledger.txt`, the list behind the `ledger` of the manifest."""
    counted: "CountedTrials | None"
    """`counted.json`; None from earlier versions, which did not write it."""
    asset_weights: bytes | None = None
    """`asset_weights.f64`, the array behind the attribution of the result."""


class CountedTrials(Frozen):
    """`counted.json`: the trials of a pipeline as later ledgers count them."""

    prices_digest: str
    entries: Entries


class StepMarker(Frozen):
    """`done.json`, written last: digests of the inputs and outputs of a step."""

    format: int = FORMAT
    step: StepName
    code: str
    read: dict[str, str]
    """Digest of each input folder."""
    files: dict[str, str]
    """SHA-256 of each other file."""


def read_request(folder: Path) -> PipelineRequest:
    """Raises `IncompatibleWork` for a missing or unreadable file or one of another version."""
    try:
        document = json.loads((folder / "request.json").read_bytes())
        if document.get("format") != FORMAT or document.get("code") != code_version():
            reason = "request.json was written by another version of the program"
            raise IncompatibleWork(f"{reason}; use the image with which the pipeline was started")
        return PipelineRequest.model_validate(document)
    except FileNotFoundError as error:
        raise IncompatibleWork(f"request.json is missing; expected request.json and prices.npz in {folder}") from error
    except (ValidationError, ValueError, AttributeError) as error:
        raise IncompatibleWork("request.json cannot be read; expected a file written by this program") from error


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file except the marker."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARKER_FILE and not path.name.startswith(".")
    }


def folder_digest(folder: Path) -> str:
    """Digest of all files of a folder."""
    return hashlib.sha256(json.dumps(file_digests(folder), sort_keys=True).encode()).hexdigest()


def write_marker(step: StepName, inputs: Mapping[str, Path], output: Path) -> StepMarker:
    """Mark the step as completed; the marker is valid while its input and output files are unchanged."""
    marker = StepMarker(step=step, code=code_version(), read=_input_digests(inputs), files=file_digests(output))
    part = output / f".{MARKER_FILE}.part"
    part.write_text(marker.model_dump_json(indent=1), encoding="utf-8")
    part.replace(output / MARKER_FILE)
    return marker


def is_finished(step: StepName, inputs: Mapping[str, Path], output: Path) -> bool:
    """Whether the marker matches the step's current inputs, outputs and code."""
    try:
        marker = StepMarker.model_validate_json((output / MARKER_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return False
    current = StepMarker(step=step, code=code_version(), read=_input_digests(inputs), files=file_digests(output))
    return marker == current


def _input_digests(inputs: Mapping[str, Path]) -> dict[str, str]:
    return {name: folder_digest(folder) for name, folder in sorted(inputs.items())}
