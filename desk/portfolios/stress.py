"""Hypothetical stress of a portfolio: the most likely way to lose an amount, and losses when factors move."""

from collections.abc import Mapping, Sequence

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.figures.sheet import ORDINALS, Money, Sheet
from desk.market.prices import PriceSource
from desk.portfolios.holdings import CASH, Assets, Holdings, load_assets
from desk.portfolios.stress_schemas import (
    FactorLoss,
    FactorStress,
    HoldingLoss,
    HoldingMove,
    ReverseStress,
    StressRequest,
)
from quant.covariance.estimators import sample
from quant.numeric.errors import DataError, Infeasible
from quant.risk.correlation_stress import reverse_stress
from quant.risk.stress import factor_exposures, factor_shock


async def load_factors(prices: PriceSource, holdings: Holdings, factors: Sequence[str]) -> Assets:
    """The risky holdings and the factors, on the days that all of them have."""
    held = holdings.assets.returns.assets
    known = {name.casefold() for name in held}
    if any(name.casefold() == CASH for name in factors):
        raise InvalidInput("shocks", CASH, reason="cash has no prices that move", allowed="assets with prices")
    try:
        return await load_assets(prices, (*held, *(name for name in factors if name.casefold() not in known)))
    except InvalidInput as error:
        reason, _ = reason_and_allowed(str(error))
        reason = reason.removeprefix(f"{error.field}: ")
        raise InvalidInput("shocks", error.value, reason=reason, allowed=error.allowed) from error


def assess_reverse_stress(holdings: Holdings, stress: StressRequest) -> ReverseStress:
    """The smallest move of the risky holdings, in Mahalanobis distance, that brings the loss within the sessions.

    Returns are taken to have the mean zero and the sample covariance of a session times the number of sessions.
    """
    names = holdings.assets.returns.assets
    cov = stress.sessions * sample(holdings.assets.returns)
    try:
        answer = reverse_stress(holdings.weights, cov, stress.loss)
    except Infeasible as error:
        return ReverseStress(loss=stress.loss, sessions=stress.sessions, reason=str(error))
    return ReverseStress(
        loss=stress.loss,
        sessions=stress.sessions,
        moves=tuple(HoldingMove(asset=name, move=move) for name, move in zip(names, answer.shock, strict=True)),
        distance=answer.distance,
        probability=answer.probability,
    )


def assess_factor_stress(
    holdings: Holdings, factors: Assets | None, shocks: Mapping[str, float]
) -> FactorStress | None:
    """The loss when the factors move, by the holdings' betas in one regression of daily returns on all factors.

    Without loaded `factors` the only factor is the index that comes with the holdings; None if the source has none.
    """
    if factors is not None:
        names = {name.casefold(): n for n, name in enumerate(factors.returns.assets)}
        held = factors.returns.values[:, [names[name.casefold()] for name in holdings.assets.returns.assets]]
        moved = factors.returns.values[:, [_place(names, factors, name) for name in shocks]]
    elif holdings.assets.index is not None:
        held, moved = holdings.assets.returns.values, holdings.assets.index[:, None]
    else:
        return None
    try:
        exposures = factor_exposures(held, moved)
    except DataError as error:
        reason, _ = reason_and_allowed(str(error))
        allowed = "factors that differ, with enough days in common with the holdings"
        raise InvalidInput("shocks", list(shocks), reason=reason, allowed=allowed) from error
    answer = factor_shock(exposures, list(shocks.values()), holdings.weights)
    losses = zip(shocks.items(), answer.factors, strict=True)
    return FactorStress(
        loss=answer.loss,
        factors=tuple(FactorLoss(factor=name, move=move, loss=loss) for (name, move), loss in losses),
        holdings=tuple(
            HoldingLoss(asset=asset, loss=loss)
            for asset, loss in zip(holdings.assets.returns.assets, answer.assets, strict=True)
        ),
    )


def add_reverse_stress(sheet: Sheet, stress: ReverseStress, money: Money | None) -> None:
    within = 'in the "reverse stress"'
    quantity = 'loss asked for in the "reverse stress"'
    sheet.add("reverse_loss", quantity, stress.loss, "percent")
    sheet.share_of(money, "reverse_loss", quantity, stress.loss)
    sheet.add("reverse_sessions", f"sessions of the loss {within}", stress.sessions, "count")
    quantity = f"distance {within}: standard deviations of the portfolio over those sessions"
    sheet.add("reverse_distance", quantity, stress.distance, "ratio")
    quantity = f"probability of that loss or a larger one {within}, were returns normal"
    sheet.add("reverse_probability", quantity, stress.probability, "probability")
    for n, row in enumerate(stress.moves, 1):
        sheet.add(f"holding_{n}_reverse", f'return of the "{ORDINALS[n - 1]}" holding {within}', row.move, "percent")


def add_factor_stress(sheet: Sheet, stress: FactorStress | None, money: Money | None) -> None:
    if stress is None:
        return
    within = 'in the "factor stress"'
    for n, row in enumerate(stress.factors, 1):
        word = ORDINALS[n - 1]
        sheet.add(f"factor_{n}_name", f'name of the "{word}" factor {within}', row.factor, "text")
        sheet.add(f"factor_{n}_move", f'move of the "{word}" factor {within}', row.move, "percent")
        quantity = f'loss of the portfolio from the "{word}" factor {within}; negative is a gain'
        sheet.add(f"factor_{n}_loss", quantity, row.loss, "percent")
        sheet.share_of(money, f"factor_{n}_loss", quantity, row.loss)
    quantity = f"loss of the portfolio {within}"
    sheet.add("factor_loss", quantity, stress.loss, "percent")
    sheet.share_of(money, "factor_loss", quantity, stress.loss)
    for n, row in enumerate(stress.holdings, 1):
        quantity = f'loss that the "{ORDINALS[n - 1]}" holding brings {within}; negative is a gain'
        sheet.add(f"holding_{n}_factor_loss", quantity, row.loss, "percent")


def _place(names: Mapping[str, int], factors: Assets, name: str) -> int:
    """Column of a factor: by the name of the asset, or by that of its universe, such as the index."""
    if name.casefold() in names:
        return names[name.casefold()]
    return next(n for n, universe in enumerate(factors.universes) if universe.casefold() == name.casefold())
