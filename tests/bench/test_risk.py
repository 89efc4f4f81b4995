"""Tail losses and the GARCH fit against quantstats, skfolio and arch, on 33 years of the S&P 500 and equal answers."""
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

import asyncio
import math
import warnings

import numpy as np
import pytest

from desk.market.bundled import BundledPrices
from quant.performance.drawdown_periods import drawdown_table
from quant.risk.tails import expected_shortfall, tail_risk, value_at_risk
from quant.volatility.garch import Garch, Innovations, fit_garch
from tests.bench.comparison import Comparison

pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def returns() -> np.ndarray:
    closes = asyncio.run(BundledPrices().load("sp500")).closes[:, 0]
    return closes[1:] / closes[:-1] - 1.0


def close(ours: float, theirs: float) -> None:
    assert ours == pytest.approx(float(theirs), rel=1e-9)


def test_historical_losses(returns: np.ndarray, comparison: Comparison) -> None:
    from skfolio import measures

    size = f"{returns.size} days"
    comparison.add(
        "historical expected shortfall, 95%",
        size,
        lambda: expected_shortfall(returns),
        {"skfolio": lambda: measures.cvar(returns, beta=0.95), "numpy": lambda: plain_shortfall(returns)},
        equal=close,
    )
    comparison.add(
        "historical value-at-risk, 95%",
        size,
        lambda: value_at_risk(returns),
        {"skfolio": lambda: measures.value_at_risk(returns, beta=0.95)},
        equal=close,
    )


def plain_shortfall(returns: np.ndarray) -> float:
    ordered = np.sort(returns)
    share = 0.05 * ordered.size
    whole = int(share)
    return float(-(ordered[:whole].sum() + (share - whole) * ordered[whole]) / share)


def test_gaussian_value_at_risk(returns: np.ndarray, comparison: Comparison) -> None:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantstats

    series = pd.Series(returns)
    comparison.add(
        "gaussian value-at-risk, 95%",
        f"{returns.size} days",
        lambda: value_at_risk(returns, method="gaussian"),
        {"quantstats": lambda: -quantstats.stats.value_at_risk(series, prepare_returns=False)},
        equal=close,
    )


def test_drawdown_table(returns: np.ndarray, comparison: Comparison) -> None:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantstats

    series = pd.Series(returns, index=pd.bdate_range("1990-01-03", periods=returns.size))

    def theirs() -> list[float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = quantstats.stats.drawdown_details(quantstats.stats.to_drawdown_series(series))
        return sorted((-table["max drawdown"] / 100).tolist(), reverse=True)[:5]

    comparison.add(
        "five deepest drawdowns",
        f"{returns.size} days",
        lambda: [row.depth for row in drawdown_table(returns)],
        {"quantstats": theirs},
        equal=lambda ours, found: np.testing.assert_allclose(ours, found, rtol=1e-6),
    )


@pytest.mark.parametrize(("innovations", "asymmetric"), [("t", True), ("normal", False)])
def test_garch_fit(returns: np.ndarray, innovations: Innovations, asymmetric: bool, comparison: Comparison) -> None:
    from arch import arch_model

    logs = np.log1p(returns)
    peer = arch_model(100 * logs, p=1, o=int(asymmetric), q=1, dist=innovations, rescale=False)

    def equal(ours: Garch, theirs: object) -> None:
        values = [100 * ours.mu, 1e4 * ours.omega, ours.alpha]
        values += [ours.gamma] if asymmetric else []
        values += [ours.beta, *([] if math.isinf(ours.nu) else [ours.nu])]
        assert peer.fix(values).loglikelihood == pytest.approx(theirs.loglikelihood, abs=1e-3)  # pyright: ignore[reportAttributeAccessIssue]

    comparison.add(
        f"{'GJR-' if asymmetric else ''}GARCH fit, {innovations}",
        f"{returns.size} days",
        lambda: fit_garch(logs, innovations=innovations, asymmetric=asymmetric),
        {"arch": lambda: peer.fit(disp="off")},
        equal=equal,
        note="three starts against one",
    )


def test_the_whole_table(returns: np.ndarray, comparison: Comparison) -> None:
    comparison.add(
        "tail-risk table",
        f"{returns.size} days",
        lambda: tail_risk(returns),
        {},
        equal=lambda _ours, _theirs: None,
        note="every method, 95% and 99%, 1, 10 and 21 days, with the GARCH fit and 40,000 paths",
    )
