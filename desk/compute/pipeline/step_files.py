"""What the steps of a pipeline hand each other: folders of files, each with a mark that it is whole."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from desk.base.code_version import code_version
from desk.compute.container.job_files import FORMAT, Foreign
from desk.compute.pipeline.definition import StepName
from desk.optimization.request import OptimizationRequest
from quant.numeric.frozen import Frozen

DONE = "done.json"


class Asked(Frozen):
    """`request.json`: what a pipeline is asked. The prices lie beside it."""

    format: int = FORMAT
    code: str
    data: str
    owner: str
    run: str
    """Names the pipeline: the same request on the same prices by the same code."""
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{32,}$")]
    """With which the instances of a search show each other that they belong together."""
    request: OptimizationRequest
    ledger: tuple[str, ...] = ()
    """What the owner had tried on these prices before: see `desk.optimization.repositories.ledger`."""


class Done(Frozen):
    """`done.json`, written last: what a step read, and what it left."""

    format: int = FORMAT
    step: StepName
    code: str
    read: dict[str, str]
    """Digest of each folder."""
    files: dict[str, str]
    """SHA-256 of each other file."""


def read_asked(folder: Path) -> Asked:
    """Raises `Foreign` for what another version wrote or what is not whole."""
    try:
        document = json.loads((folder / "request.json").read_bytes())
        if document.get("format") != FORMAT or document.get("code") != code_version():
            reason = "request.json: it was written by another version of the program"
            raise Foreign(f"{reason}; expected the image with which the pipeline was started")
        return Asked.model_validate(document)
    except FileNotFoundError as error:
        raise Foreign(f"request.json: it is not there; expected request.json and prices.npz, in {folder}") from error
    except (ValidationError, ValueError, AttributeError) as error:
        raise Foreign("request.json: it cannot be read; expected what this program has written") from error


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file, the mark apart."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != DONE and not path.name.startswith(".")
    }


def content(folder: Path) -> str:
    """Digest of all files of a folder."""
    return hashlib.sha256(json.dumps(digests(folder), sort_keys=True).encode()).hexdigest()


def mark(step: StepName, inputs: Mapping[str, Path], output: Path) -> Done:
    """Say that the step has finished, which is believed as long as nothing of what it read or left is changed."""
    done = Done(step=step, code=code_version(), read=_read(inputs), files=digests(output))
    part = output / f".{DONE}.part"
    part.write_text(done.model_dump_json(indent=1), encoding="utf-8")
    part.replace(output / DONE)
    return done


def finished(step: StepName, inputs: Mapping[str, Path], output: Path) -> bool:
    """Whether the step has left what it would leave now."""
    try:
        done = Done.model_validate_json((output / DONE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return False
    now = Done(step=step, code=code_version(), read=_read(inputs), files=digests(output))
    return done == now


def _read(inputs: Mapping[str, Path]) -> dict[str, str]:
    return {name: content(folder) for name, folder in sorted(inputs.items())}
