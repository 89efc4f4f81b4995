"""Types of imported data sets: terms and reports of imports, versions, markers."""

from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from desk.market.checks.report import Gate
from desk.market.files.columns import Role
from quant.numeric.frozen import Frozen

Kind: TypeAlias = Literal["prices", "curve", "index"]
Adjust: TypeAlias = Literal["none", "dividends", "dividends_and_splits"]
Mode: TypeAlias = Literal["replace", "extend"]

DatasetName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Reason: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=300)]
Currency: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Calendar: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/_]{1,20}$")]
Symbol: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^,:\x00-\x1f\x7f]{1,64}$")]


class Terms(Frozen):
    """Terms of an import: the interpretation and use of a file."""

    kind: Kind = Field(
        default="prices",
        description="Prices can be invested in; a curve (dates x tenors) and an index (such as VIX) are series only",
    )
    symbol: Symbol | None = Field(
        default=None, description="Name of the asset, for a file of one asset without a symbol"
    )
    mapping: dict[Role, str] = Field(
        default_factory=dict[Role, str],
        description="Column by role, if the header is ambiguous",
        examples=[{"date": "Day"}],
    )
    adjust: Adjust = Field(
        default="none",
        description="Compute total returns from the file's dividends (per share, on the ex-date) and splits",
    )
    mode: Mode = Field(
        default="replace",
        description="`replace`: the file is the new version; `extend`: its days replace or follow the last version's",
    )
    total_return: bool = Field(
        default=True, description="Whether closes include dividends; otherwise a yield is assumed"
    )
    currency: Currency = "USD"
    calendar: Calendar = Field(default="XNYS", description="Exchange whose sessions the file must have, or none")
    accept: dict[str, Reason] = Field(
        default_factory=dict[str, str], description="Failing gates to accept, each with the reason"
    )


class Understood(Frozen):
    """The interpretation of a file."""

    format: Literal["csv", "xlsx", "parquet", "json"]
    """Format of the file."""
    layout: Literal["wide", "long", "one asset"]
    """`wide`: a column for each asset; `long`: a row for each asset and day."""
    columns: dict[str, str] = Field(description="Role by column; in a wide file each other column is an asset's closes")
    ignored: tuple[str, ...] = Field(default=(), description="Columns that were not used")
    notes: tuple[str, ...] = ()


class Adjustment(Frozen):
    """Closes that differ from the previous version by more than half a percent."""

    symbol: str
    count: int
    """Number of changed closes."""
    first: date
    """First changed day."""
    last: date
    """Last changed day."""
    largest: float | None = Field(description="Largest change, as a fraction of the earlier close; null from zero")
    dates: tuple[date, ...] = Field(description="The first of these days")


class Changes(Frozen):
    """Changes from the previous version."""

    previous: str | None
    """Hash of the previous version; null for the first one."""
    added_days: int
    """Days that the previous version does not have."""
    removed_days: int
    """Days that only the previous version has."""
    added_assets: tuple[str, ...] = ()
    """Assets that the previous version does not have."""
    removed_assets: tuple[str, ...] = ()
    """Assets that only the previous version has."""
    adjustments: tuple[Adjustment, ...] = ()
    """Changed closes by asset."""
    stale_count: int = Field(default=0, description="Runs on closes of an earlier version that were adjusted")
    stale_runs: tuple[str, ...] = Field(default=(), description="The first hundred of them")


class AssetRegime(Frozen):
    """The regime of an asset after its last day."""

    asset: str
    last_day: date
    volatility: float = Field(description="Yearly volatility of the last weeks")
    volatility_percentile: float = Field(description="Share of past days with at most this volatility")
    volatility_band: Literal["low", "middle", "high"]
    """Volatility compared with the asset's own history."""
    trend: Literal["rising", "flat", "falling"]
    """Direction of the price."""
    trend_distance: float = Field(description="Relative distance of the price from its mean of the past year")
    drawdown: float = Field(description="Fall from the peak, as a fraction")
    turbulent_probability: float | None = Field(
        description="Filtered probability of the turbulent state; null where the returns show no second state"
    )
    one_state_because: str | None = Field(default=None, description="Why the returns show no second state")


class Version(Frozen):
    """An immutable version of a data set."""

    dataset: str
    hash: str = Field(description="SHA-256 of dates, assets, fields and terms")
    prices_digest: str | None = Field(
        description="Digest of these closes in results; null for assets with different first or last days"
    )
    training_volatility: float | None = Field(
        default=None,
        description="Annual volatility of the first three fifths of the days, of the assets in equal shares; null as "
        "`prices_digest`, and in versions of earlier releases",
    )
    at: datetime
    by: str
    kind: Kind
    total_return: bool
    """Whether the closes include dividends."""
    currency: str
    calendar: str
    """Code of the exchange whose sessions the days follow."""
    adjust: Adjust
    """How dividends and splits were treated."""
    first: date
    last: date
    days: int
    """Number of days."""
    assets: tuple[str, ...]
    fields: tuple[str, ...]
    understood: Understood
    gates: tuple[Gate, ...]
    """Results of the checks."""
    accepted: dict[str, str]
    changes: Changes
    regimes: tuple[AssetRegime, ...] = ()
    """Regime of each asset after its last day."""


class Commit(Frozen):
    """One entry of a data set's history; the same content may be committed again later."""

    hash: str
    """Hash of the version."""
    at: datetime
    by: str


class Head(Frozen):
    """A data set with its commits; its name without a hash means the last one."""

    name: str
    kind: Kind
    history: tuple[Commit, ...]


class Freshness(Frozen):
    last_day: date
    sessions_behind: int | None = Field(description="Sessions of the exchange since; null without a calendar")
    days_behind: int
    """Calendar days since the last day."""
    fresh: bool = Field(description="At most one session behind, or three days without a calendar")


class Dataset(Frozen):
    name: str
    kind: Kind
    latest: str
    """Hash of the newest version."""
    at: datetime
    first: date
    last: date
    assets: tuple[str, ...]
    currency: str
    freshness: Freshness
    """Age of the last day."""


class Series(Frozen):
    """A data set with its history, newest first."""

    dataset: Dataset
    versions: tuple[Commit, ...]
    """Commits, the newest first."""
    current: Version


class ImportReport(Frozen):
    """The result of an import, or of its dry run."""

    dataset: str
    committed: bool
    """Whether a new version was stored."""
    usable: bool = Field(description="Whether all failing gates are accepted")
    unchanged: bool = Field(description="Whether the content equals the latest version, so that nothing is written")
    version: Version
    markers_cleared: tuple[str, ...] = Field(default=(), description="Bad-data markers that the new data clear")


class Stale(Frozen):
    """A run whose prices were changed by a later version."""

    run: str
    reason: str
    at: datetime
    dataset: str
    version: str = Field(description="The version with the changes")


class NewMarker(Frozen):
    """A marker for bad data, which new runs cannot use."""

    symbol: Symbol
    reason: Reason
    dataset: DatasetName | Literal["sp500", "stocks"] | None = Field(
        default=None, description="Data set; by default every data set with the symbol"
    )
    start: date | None = Field(default=None, description="First bad day; by default the beginning")
    end: date | None = Field(default=None, description="Last bad day; by default the end")
    source: Literal["user", "validator"] = "user"
    """Who found the bad data."""


class Marker(NewMarker):
    id: str
    at: datetime
    by: str
    expires_at: datetime = Field(description="Time after which the data can be used again; an event announces it")
    state: Literal["active", "expired"] = "active"
    """A marker expires when a version replaces its data."""
