"""What a container is handed and what it leaves: the folders and documents of SageMaker Processing."""

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from desk.base.code_version import code_version
from desk.base.errors import UserError
from desk.market.prices import Prices
from desk.optimization.jobs import SearchJob
from quant.numeric.frozen import Frozen
from quant.strategies.trial import Trial

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Document = TypeVar("Document", "_Checkpoint", "Summary")

FORMAT = 1
OPT_ML = Path("/opt/ml")
SUMMARY, PROGRESS, REFUSED = "summary.json", "progress.json", "refused.json"
PORT = 7171
"""Of the leader, among the instances of a job."""

Flaw: TypeAlias = Literal["truncated", "wrong version", "wrong data", "wrong code", "another job", "damaged", "missing"]


class BadOutput(ValueError):
    """A file that a container left, or should have left, and that must not be used."""

    def __init__(self, name: str, flaw: Flaw, detail: str = "") -> None:
        self.name, self.flaw = name, flaw
        super().__init__(f"{name}: {flaw}" + (f" ({detail})" if detail else ""))


@dataclass(frozen=True)
class Tree:
    """The folders below `/opt/ml`."""

    root: Path = OPT_ML

    @property
    def inputs(self) -> Path:
        return self.root / "processing" / "input"

    def input(self, name: str) -> Path:
        return self.inputs / name

    def output(self, name: str) -> Path:
        return self.root / "processing" / "output" / name

    @property
    def work(self) -> Path:
        return self.input("work")

    @property
    def earlier_shards(self) -> Path:
        return self.input("shards")

    @property
    def shards(self) -> Path:
        return self.output("shards")

    @property
    def result(self) -> Path:
        return self.output("result")

    @property
    def resources(self) -> Path:
        return self.root / "config" / "resourceconfig.json"

    @property
    def message(self) -> Path:
        return self.root / "output" / "message"


class Resources(Frozen):
    """`resourceconfig.json`: who this instance is, and who else there is; SageMaker says more there."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    current_host: str
    hosts: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def leader(self) -> str:
        """The one that coordinates: `algo-2` comes before `algo-10`."""
        return min(self.hosts, key=lambda host: (len(host), host))


def read_resources(path: Path) -> Resources:
    try:
        return Resources.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        allowed = f"the current host and all hosts of the job, in {path.parent}"
        raise Foreign(f"{path.name}: it is not there; expected {allowed}") from error
    except ValueError as error:
        raise Foreign(f"{path.name}: it cannot be read; expected current_host and hosts") from error


class Work(Frozen):
    """`work.json`: a search to be made. Prices and earlier trials lie beside it."""

    format: int = FORMAT
    code: str
    data: str
    """Digest of the prices beside it."""
    job: SearchJob
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{32,}$")]
    """With which the instances of a job show each other that they belong together."""
    port: Annotated[int, Field(ge=1, le=65535)] = PORT


class Foreign(UserError):
    """A container is handed work that its program cannot do."""

    code = "foreign_work"


def write_work(folder: Path, work: Work, prices: Prices, known: Sequence[Trial]) -> None:
    """`known`: the trials of earlier plans."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prices.npz").write_bytes(pack_prices(prices))
    trials = [trial.model_dump(mode="json") for trial in known]
    (folder / "known.json").write_text(json.dumps(trials), encoding="utf-8")
    (folder / "work.json").write_text(work.model_dump_json(), encoding="utf-8")


def read_work(folder: Path) -> tuple[Work, Prices, list[Trial]]:
    """Raises `Foreign` for what another version wrote or what is not whole."""
    path = folder / "work.json"
    try:
        document = json.loads(path.read_bytes())
        if document.get("format") != FORMAT or document.get("code") != code_version():
            allowed = "the image with which the job was submitted"
            raise Foreign(f"work.json: it was written by another version of the program; expected {allowed}")
        work = Work.model_validate(document)
        known = TypeAdapter(list[Trial]).validate_json((folder / "known.json").read_bytes())
        content = (folder / "prices.npz").read_bytes()
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise Foreign(f"{name}: it is not there; expected work.json, known.json and prices.npz, in {folder}") from error
    except (ValidationError, ValueError, AttributeError) as error:
        raise Foreign("work.json: it cannot be read; expected what this program has written") from error
    return work, unpack_prices(content, work.data), known


def pack_prices(prices: Prices) -> bytes:
    import numpy as np

    about = {
        "assets": prices.assets,
        "price_index": prices.price_index,
        "survivors": prices.survivors,
        "source": prices.source,
        "notes": prices.notes,
        "calendar": prices.calendar,
        "currency": prices.currency,
        "accepted": prices.accepted,
    }
    content = io.BytesIO()
    said = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    np.savez_compressed(content, dates=prices.dates.astype("<i8"), closes=prices.closes.astype("<f8"), about=said)
    return content.getvalue()


def unpack_prices(content: bytes, digest: str) -> Prices:
    """The prices of that digest; `Foreign` for any others."""
    import zipfile
    import zlib

    import numpy as np

    archive = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)  # by where it is damaged
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            prices = Prices(
                dates=arrays["dates"].astype("datetime64[D]"),
                closes=arrays["closes"],
                assets=tuple(about["assets"]),
                price_index=about["price_index"],
                survivors=about["survivors"],
                source=about["source"],
                notes=tuple(about["notes"]),
                calendar=about["calendar"],
                currency=about["currency"],
                accepted=tuple((gate, reason) for gate, reason in about["accepted"]),
            )
    except (*archive, KeyError, ValueError, TypeError, AttributeError) as error:
        raise Foreign("prices.npz: it cannot be read; expected what this program has written") from error
    if prices.digest != digest:
        raise Foreign(f"prices.npz: its digest is {prices.digest[:16]}; expected {digest[:16]}, as in work.json")
    return prices


class _Stored(Frozen):
    trial: Trial
    series: str
    """Base64 of float64, little-endian, (2, T)."""


class _Checkpoint(Frozen):
    format: int
    code: str
    data: str
    job: str
    trials: tuple[_Stored, ...]


class Account(Frozen):
    """`shards.json`: what became of the shards of a job."""

    found: int
    """Stored already."""
    computed: dict[str, int]
    """First results, by instance."""
    refused: int
    """Stored or sent, and not to be used."""
    again: int
    """Given to a second instance because the first took long."""
    late: int
    """Results that came second."""
    lost: int
    """Given out once more because whoever was at it went away."""
    unseen: tuple[str, ...]
    """Instances that never came."""


class Summary(Frozen):
    """`summary.json`, written last: what makes the output whole."""

    format: int = FORMAT
    code: str
    data: str
    job: str
    stopped: Literal["budget", "converged", "exhausted"]
    trials: int
    files: dict[str, str]
    """SHA-256 of each other file of the result."""


def checkpoint_name(number: int) -> str:
    return f"trials-{number:05d}.json"


def encode_trials(work: Work, trials: "Iterable[tuple[Trial, NDArray[np.float64]]]") -> bytes:
    import numpy as np

    def packed(series: "NDArray[np.float64]") -> str:
        return base64.b64encode(np.ascontiguousarray(series, dtype="<f8").tobytes()).decode()

    stored = tuple(_Stored(trial=trial, series=packed(series)) for trial, series in trials)
    checkpoint = _Checkpoint(format=FORMAT, code=work.code, data=work.data, job=work.job.id(), trials=stored)
    body = checkpoint.model_dump_json().encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def decode_trials(name: str, content: bytes, work: Work) -> "list[tuple[Trial, NDArray[np.float64]]]":
    """The finished trials in a checkpoint file; `BadOutput` for one of anything else."""
    import numpy as np

    from desk.optimization.repositories.trial_repository import series_address

    checkpoint = _read(name, content, work, _Checkpoint)
    found: list[tuple[Trial, NDArray[np.float64]]] = []
    for stored in checkpoint.trials:
        try:
            series = np.frombuffer(base64.b64decode(stored.series), dtype="<f8").reshape(2, -1)
        except ValueError as error:
            raise BadOutput(name, "damaged", f"the series of trial {stored.trial.number} cannot be read") from error
        if series_address(series) != stored.trial.series or stored.trial.config.digest() != stored.trial.digest:
            raise BadOutput(name, "damaged", f"trial {stored.trial.number} does not fit its digests")
        found.append((stored.trial, series))
    return found


def encode_summary(summary: Summary) -> bytes:
    body = summary.model_dump_json().encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def decode_summary(content: bytes, work: Work) -> Summary:
    return _read(SUMMARY, content, work, Summary)


def _read(name: str, content: bytes, work: Work, kind: "type[Document]") -> "Document":
    digest, _, body = content.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise BadOutput(name, "truncated" if not body.endswith(b"}") else "damaged")
    try:
        document = json.loads(body)
        if document.get("format") != FORMAT:
            raise BadOutput(name, "wrong version")
        found = kind.model_validate(document)
    except (ValidationError, json.JSONDecodeError, AttributeError) as error:
        raise BadOutput(name, "damaged", "it has another form") from error
    if found.code != work.code:
        raise BadOutput(name, "wrong code")
    if found.data != work.data:
        raise BadOutput(name, "wrong data")
    if found.job != work.job.id():
        raise BadOutput(name, "another job")
    return found
