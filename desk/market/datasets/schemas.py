"""The words of imported data sets: what is asked of an import, what it found, what a version is."""

from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from desk.market.checks.report import Gate
from quant.numeric.frozen import Frozen

Role: TypeAlias = Literal["date", "symbol", "open", "high", "low", "close", "adjusted", "volume", "dividend", "split"]
Kind: TypeAlias = Literal["prices", "curve", "index"]
Adjust: TypeAlias = Literal["none", "dividends", "dividends_and_splits"]
Mode: TypeAlias = Literal["replace", "extend"]

DatasetName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Reason: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=300)]
Currency: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Calendar: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/_]{1,20}$")]
Symbol: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^,:\x00-\x1f\x7f]{1,64}$")]


class Terms(Frozen):
    """How a file is to be understood."""

    kind: Kind = Field(
        default="prices",
        description="Prices can be invested in; a curve (dates x tenors) and an index (such as VIX) are series only",
    )
    symbol: Symbol | None = Field(default=None, description="Name of the asset, for a file of one that does not say it")
    mapping: dict[Role, str] = Field(
        default_factory=dict[Role, str],
        description="Column by role, where the header does not tell",
        examples=[{"date": "Day"}],
    )
    adjust: Adjust = Field(
        default="none",
        description="Make total returns out of the dividends (per share, on the ex-date) and splits of the file",
    )
    mode: Mode = Field(
        default="replace",
        description="`replace`: the file is the new version; `extend`: its days replace or follow those of the last",
    )
    total_return: bool = Field(default=True, description="Dividends are in the closes; otherwise a yield is assumed")
    currency: Currency = "USD"
    calendar: Calendar = Field(default="XNYS", description="Exchange whose sessions the file must have, or none")
    accept: dict[str, Reason] = Field(
        default_factory=dict[str, str], description="Failing gates to pass all the same, each with the reason"
    )


class Understood(Frozen):
    """What was read, and as what."""

    format: Literal["csv", "xlsx", "parquet", "json"]
    layout: Literal["wide", "long", "one asset"]
    columns: dict[str, str] = Field(description="Role by column; in a wide file each other column is an asset's closes")
    ignored: tuple[str, ...] = Field(default=(), description="Columns that were not used")
    notes: tuple[str, ...] = ()


class Adjustment(Frozen):
    """Closes of days that the version before had too, and that now differ by more than half a percent."""

    symbol: str
    count: int
    first: date
    last: date
    largest: float | None = Field(description="Largest change, as a fraction of the earlier close; null from zero")
    dates: tuple[date, ...] = Field(description="The first of them")


class Changes(Frozen):
    """Against the version before."""

    previous: str | None
    added_days: int
    removed_days: int
    added_assets: tuple[str, ...] = ()
    removed_assets: tuple[str, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    stale_count: int = Field(default=0, description="Runs on closes of an earlier version that were adjusted")
    stale_runs: tuple[str, ...] = Field(default=(), description="The first hundred of them")


class AssetRegime(Frozen):
    """Where an asset stands after its last day."""

    asset: str
    last_day: date
    volatility: float = Field(description="Yearly volatility of the last weeks")
    volatility_percentile: float = Field(description="Share of the past days that were not rougher")
    volatility_band: Literal["low", "middle", "high"]
    trend: Literal["rising", "flat", "falling"]
    trend_distance: float = Field(description="Of the price from its mean of the past year")
    drawdown: float = Field(description="Fall from the peak, as a fraction")
    turbulent_probability: float | None = Field(description="Filtered, of a hidden Markov model; null on short series")


class Version(Frozen):
    """An immutable version of a data set."""

    dataset: str
    hash: str = Field(description="SHA-256 of dates, assets, fields and terms")
    prices_digest: str | None = Field(description="Digest by which results name these closes; null for ragged ones")
    at: datetime
    by: str
    kind: Kind
    total_return: bool
    currency: str
    calendar: str
    adjust: Adjust
    first: date
    last: date
    days: int
    assets: tuple[str, ...]
    fields: tuple[str, ...]
    understood: Understood
    gates: tuple[Gate, ...]
    accepted: dict[str, str]
    changes: Changes
    regimes: tuple[AssetRegime, ...] = ()


class Commit(Frozen):
    """One entry of a data set's history; the same content may be committed again later."""

    hash: str
    at: datetime
    by: str


class Head(Frozen):
    """A data set: its commits, the last of which is what its name alone means."""

    name: str
    kind: Kind
    history: tuple[Commit, ...]


class Freshness(Frozen):
    last_day: date
    sessions_behind: int | None = Field(description="Sessions of the exchange since; null without a calendar")
    days_behind: int
    fresh: bool = Field(description="At most one session behind, or three days without a calendar")


class Dataset(Frozen):
    name: str
    kind: Kind
    latest: str
    at: datetime
    first: date
    last: date
    assets: tuple[str, ...]
    currency: str
    freshness: Freshness


class Series(Frozen):
    """A data set with its history, newest first."""

    dataset: Dataset
    versions: tuple[Commit, ...]
    current: Version


class ImportReport(Frozen):
    """What an import would do, or has done."""

    dataset: str
    committed: bool
    usable: bool = Field(description="No gate fails that was not accepted")
    unchanged: bool = Field(description="The content is that of the latest version: nothing is written")
    version: Version
    markers_cleared: tuple[str, ...] = Field(default=(), description="Bad-data markers that the new data lift")


class Stale(Frozen):
    """A run whose prices were changed after the fact."""

    run: str
    reason: str
    at: datetime
    dataset: str
    version: str = Field(description="The version that changed them")


class NewMarker(Frozen):
    """Data that no new run may use."""

    symbol: Symbol
    reason: Reason
    dataset: DatasetName | Literal["sp500", "stocks"] | None = Field(
        default=None, description="The data set meant; without it, every one that has the symbol"
    )
    start: date | None = Field(default=None, description="First bad day; without it, from the beginning")
    end: date | None = Field(default=None, description="Last bad day; without it, to the end")
    source: Literal["user", "validator"] = "user"


class Marker(NewMarker):
    id: str
    at: datetime
    by: str
    expires_at: datetime = Field(description="From then on it holds nothing back, which is said as an event")
    state: Literal["active", "expired"] = "active"
