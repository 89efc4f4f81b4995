"""Types of the out-of-sample evidence of a result: cross-validation and walk-forward."""

from typing import Annotated

from pydantic import Field

from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured


class Quantiles(Frozen):
    """Distribution of a number over the paths of a cross-validation."""

    low: Annotated[float, Field(description="5% quantile")]
    lower_quartile: float
    """Lower quartile."""
    median: float
    upper_quartile: float
    """Upper quartile."""
    high: Annotated[float, Field(description="95% quantile")]
    below_zero: Annotated[float, Field(description="Share of the paths below 0, in [0, 1]")]


class CrossValidation(Frozen):
    """Combinatorial purged cross-validation of the choice, on the days of train and validate."""

    groups: Annotated[int, Field(description="Groups of consecutive days, of one length within a day")]
    test_groups: Annotated[int, Field(description="Groups that each split tests; the choice is made on the others")]
    splits: int
    """Splits of the days."""
    paths: Annotated[int, Field(description="Whole paths of tested days that the splits make")]
    purge: Annotated[
        int, Field(description="Days left out on both sides of a test, as far as the slowest rule looks back")
    ]
    embargo: Annotated[int, Field(description="Days left out after each test beyond the purged ones")]
    configs: Annotated[int, Field(description="Different configurations that the splits chose")]
    utility_bps: Annotated[
        Quantiles, Field(description="Utility over cash of what was chosen, on tested days alone, basis points a year")
    ]
    advantage_bps: Annotated[
        Quantiles,
        Field(description="The same minus the utility of the constant weight of that path's own volatility"),
    ]


class Reselection(Frozen):
    """The configuration chosen at the end of one calendar year, and the next year's outcome."""

    year: Annotated[int, Field(description="The year after the choice")]
    config: Annotated[str, Field(description="Digest of the chosen configuration")]
    winner: Annotated[float, Field(description="Its return in the year, cash included")]
    benchmark: Annotated[float, Field(description="Return of the constant weight of the whole series' volatility")]


class WalkForward(Frozen):
    """The choice repeated at the end of each calendar year on all days so far, and held over the next year."""

    first_day: str
    last_day: str
    years: Annotated[float, Field(description="Length of the series of all chosen years, 252 days to a year")]
    choices: tuple[Reselection, ...]
    """Configuration chosen at the end of each year."""
    changes: Annotated[int, Field(description="Choices that differ from the one before")]
    advantage_bps: Annotated[
        Measured,
        Field(
            description="Utility of the series minus that of the constant weight, basis points a year, with the "
            "standard error of its daily differences"
        ),
    ]


class OutOfSample(Frozen):
    """What the search's rule of choice earns on days that it did not use; the simulated terms are constant."""

    cross_validation: Annotated[
        CrossValidation | None, Field(description="null where purging leaves less than three years to choose on")
    ]
    walk_forward: Annotated[
        WalkForward | None, Field(description="null where no calendar year begins after three years of history")
    ]
