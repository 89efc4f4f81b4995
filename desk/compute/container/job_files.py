"""Inputs and outputs of a container: folders and documents of SageMaker Processing.

numpy is imported inside functions, so that the command `worker` and the routes that read these types start fast.
"""

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from desk.base.code_version import code_version
from desk.base.errors import UserError
from desk.market.prices import BenchmarkLevels, Prices, Ranges, RateSeries, SafeLeg, VolatilityIndex
from desk.optimization.jobs import SearchJob
from desk.optimization.stopping import StopReason, TrialFailure
from quant.numeric.frozen import Frozen
from quant.strategies.trial import Trial

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats

Document = TypeVar("Document", "_Checkpoint", "Summary")

FORMAT = 1
OPT_ML = Path("/opt/ml")
SUMMARY, PROGRESS, REFUSED = "summary.json", "progress.json", "refused.json"
PORT = 7171
"""Port on which the leader listens for the other instances of a job."""

Flaw: TypeAlias = Literal["truncated", "wrong version", "wrong data", "wrong code", "another job", "damaged", "missing"]


class BadOutput(ValueError):
    """An output file of a container that is missing or must not be used."""

    def __init__(self, name: str, flaw: Flaw, detail: str = "") -> None:
        self.name, self.flaw = name, flaw
        super().__init__(f"{name}: {flaw}" + (f" ({detail})" if detail else ""))


@dataclass(frozen=True)
class ContainerPaths:
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
    """`resourceconfig.json`: the name of this instance and of all instances; other fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    current_host: str
    hosts: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def leader(self) -> str:
        """The instance that coordinates: the first in natural order, `algo-2` before `algo-10`."""
        return min(self.hosts, key=lambda host: (len(host), host))


def read_resources(path: Path) -> Resources:
    try:
        return Resources.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        expected = f"the current host and all hosts of the job, in {path.parent}"
        raise IncompatibleWork(f"{path.name} is missing; expected {expected}") from error
    except ValueError as error:
        raise IncompatibleWork(f"{path.name} cannot be read; expected current_host and hosts") from error


class Work(Frozen):
    """`work.json`: a search to execute; prices and earlier trials are in the same folder."""

    format: int = FORMAT
    code: str
    data: str
    """Digest of the prices."""
    job: SearchJob
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{32,}$")]
    """Shared secret with which the instances of a job authenticate to each other."""
    port: Annotated[int, Field(ge=1, le=65535)] = PORT


class IncompatibleWork(UserError):
    """The input of a container is missing, unreadable or of another version."""

    code = "foreign_work"


def write_work(folder: Path, work: Work, prices: Prices, earlier_trials: Sequence[Trial]) -> None:
    """`earlier_trials` are those of earlier plans."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prices.npz").write_bytes(pack_prices(prices))
    trials = [trial.model_dump(mode="json") for trial in earlier_trials]
    (folder / "known.json").write_text(json.dumps(trials), encoding="utf-8")
    (folder / "work.json").write_text(work.model_dump_json(), encoding="utf-8")


def read_work(folder: Path) -> tuple[Work, Prices, list[Trial]]:
    """Raises `IncompatibleWork` for a missing or unreadable file or one of another version."""
    path = folder / "work.json"
    try:
        document = json.loads(path.read_bytes())
        if document.get("format") != FORMAT or document.get("code") != code_version():
            remedy = "use the image with which the job was submitted"
            raise IncompatibleWork(f"work.json was written by another version of the program; {remedy}")
        work = Work.model_validate(document)
        earlier_trials = TypeAdapter(list[Trial]).validate_json((folder / "known.json").read_bytes())
        content = (folder / "prices.npz").read_bytes()
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise IncompatibleWork(
            f"{name} is missing; expected work.json, known.json and prices.npz in {folder}"
        ) from error
    except (ValidationError, ValueError, AttributeError) as error:
        raise IncompatibleWork("work.json cannot be read; expected a file written by this program") from error
    return work, unpack_prices(content, work.data), earlier_trials


def pack_prices(prices: Prices) -> bytes:
    import numpy as np

    description: dict[str, Any] = {
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
    tables = {"closes": prices.closes}
    if prices.ranges is not None:
        tables |= {"opens": prices.ranges.opens, "highs": prices.ranges.highs, "lows": prices.ranges.lows}
    days = {"dates": prices.dates}
    if (index := prices.volatility_index) is not None:
        days["index_dates"], tables["index_values"] = index.dates, index.values
        description["index_name"] = index.name
    if prices.cash is not None:
        days["cash_dates"], tables["cash_percent"] = prices.cash.dates, prices.cash.percent
        description["cash"] = (prices.cash.name, prices.cash.currency)
    if prices.benchmark is not None:
        tables["benchmark_levels"] = prices.benchmark.levels
        description["benchmark"] = prices.benchmark.name
    if prices.safe is not None:
        tables["safe_levels"] = prices.safe.levels
        description["safe"] = (prices.safe.name, prices.safe.yields)
    metadata = np.frombuffer(json.dumps(description).encode(), dtype=np.uint8)
    arrays: dict[str, Any] = {name: days_.astype("<i8") for name, days_ in days.items()}
    arrays |= {name: table.astype("<f8") for name, table in tables.items()}
    np.savez_compressed(content, about=metadata, **arrays)
    return content.getvalue()


def unpack_prices(content: bytes, digest: str) -> Prices:
    """The prices with this digest; raises `IncompatibleWork` for others."""
    import zipfile
    import zlib

    import numpy as np

    archive_errors = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)  # depends on the damaged part
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            description = json.loads(arrays["about"].tobytes())
            prices = Prices(
                dates=arrays["dates"].astype("datetime64[D]"),
                closes=arrays["closes"],
                assets=tuple(description["assets"]),
                price_index=description["price_index"],
                survivors=description["survivors"],
                source=description["source"],
                notes=tuple(description["notes"]),
                calendar=description["calendar"],
                currency=description["currency"],
                accepted=tuple((gate, reason) for gate, reason in description["accepted"]),
                ranges=Ranges(arrays["opens"], arrays["highs"], arrays["lows"]) if "opens" in arrays else None,
                volatility_index=VolatilityIndex(
                    arrays["index_dates"].astype("datetime64[D]"), arrays["index_values"], description["index_name"]
                )
                if "index_dates" in arrays
                else None,
                cash=RateSeries(
                    description["cash"][0],
                    arrays["cash_dates"].astype("datetime64[D]"),
                    arrays["cash_percent"],
                    description["cash"][1],
                )
                if "cash" in description
                else None,
                benchmark=BenchmarkLevels(description["benchmark"], arrays["benchmark_levels"])
                if "benchmark" in description
                else None,
                safe=SafeLeg(description["safe"][0], arrays["safe_levels"], description["safe"][1])
                if "safe" in description
                else None,
            )
    except (*archive_errors, KeyError, ValueError, TypeError, AttributeError) as error:
        raise IncompatibleWork("prices.npz cannot be read; expected a file written by this program") from error
    if prices.digest != digest:
        raise IncompatibleWork(
            f"prices.npz has the digest {prices.digest[:16]}; expected {digest[:16]}, as in work.json"
        )
    return prices


class _StoredTrial(Frozen):
    trial: Trial
    series: str
    """Base64 of float64, little-endian, (2, T)."""


class _Checkpoint(Frozen):
    format: int
    code: str
    data: str
    job: str
    trials: tuple[_StoredTrial, ...]


class ShardCounts(Frozen):
    """`shards.json`: counts of the shards of a job by outcome."""

    found: int
    """Read from storage."""
    computed: dict[str, int]
    """First results by instance."""
    refused: int
    """Stored or received, and rejected as bad."""
    again: int
    """Issued to a second instance because the first was slow."""
    late: int
    """Later results of a shard that already had one."""
    lost: int
    """Issued again because every instance that computed it disconnected."""
    unseen: tuple[str, ...]
    """Instances that never connected."""


class Summary(Frozen):
    """`summary.json`, written last: marks the output as complete."""

    format: int = FORMAT
    code: str
    data: str
    job: str
    stopped: StopReason
    seconds: float = 0.0
    failures: tuple[TrialFailure, ...] = ()
    trials: int
    files: dict[str, str]
    """SHA-256 of each other file of the result."""


def checkpoint_name(number: int) -> str:
    return f"trials-{number:05d}.json"


def encode_trials(work: Work, trials: "Iterable[tuple[Trial, Floats]]") -> bytes:
    import numpy as np

    def packed(series: "Floats") -> str:
        return base64.b64encode(np.ascontiguousarray(series, dtype="<f8").tobytes()).decode()

    stored_trials = tuple(_StoredTrial(trial=trial, series=packed(series)) for trial, series in trials)
    checkpoint = _Checkpoint(format=FORMAT, code=work.code, data=work.data, job=work.job.id(), trials=stored_trials)
    body = checkpoint.model_dump_json().encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def decode_trials(name: str, content: bytes, work: Work) -> "list[tuple[Trial, Floats]]":
    """The completed trials in a checkpoint file; raises `BadOutput` for any other content."""
    import numpy as np

    from desk.optimization.repositories.trial_repository import series_address

    checkpoint = _read(name, content, work, _Checkpoint)
    trials: list[tuple[Trial, Floats]] = []
    for entry in checkpoint.trials:
        try:
            series = np.frombuffer(base64.b64decode(entry.series), dtype="<f8").reshape(2, -1)
        except ValueError as error:
            raise BadOutput(name, "damaged", f"the series of trial {entry.trial.number} cannot be read") from error
        if series_address(series) != entry.trial.series or entry.trial.config.digest() != entry.trial.digest:
            raise BadOutput(name, "damaged", f"trial {entry.trial.number} does not fit its digests")
        trials.append((entry.trial, series))
    return trials


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
        parsed = kind.model_validate(document)
    except (ValidationError, json.JSONDecodeError, AttributeError) as error:
        raise BadOutput(name, "damaged", "it has another form") from error
    if parsed.code != work.code:
        raise BadOutput(name, "wrong code")
    if parsed.data != work.data:
        raise BadOutput(name, "wrong data")
    if parsed.job != work.job.id():
        raise BadOutput(name, "another job")
    return parsed
