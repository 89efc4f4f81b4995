"""Splits days into train, validate and holdout, and resolves mixes of assets; needs no prices."""

from desk.base.errors import InvalidInput
from desk.optimization.request import OptimizationRequest
from desk.optimization.window import DEFAULT_SPLIT, Split
from quant.numeric.units import DAYS
from quant.strategies.choices import ESTIMATORS, InnerPortfolio
from quant.strategies.config import SearchSpace, StrategyConfig

MIN_HOLDOUT = 2 * DAYS
MIN_TRAIN = 3 * DAYS
MIXES: tuple[InnerPortfolio, ...] = ("equal_weight", "inverse_volatility")


def resolve_mixes(request: OptimizationRequest, *, assets: int) -> OptimizationRequest:
    """Fill in the default mixes for several assets, so that the stored request is complete."""
    if assets == 1:
        return request
    space, rule = request.space, request.current_rule
    return request.model_copy(
        update={
            "space": space if space.inner else space.model_copy(update={"inner": MIXES}),
            "current_rule": rule if rule.inner else rule.model_copy(update={"inner": "equal_weight"}),
        }
    )


def check_mixes(request: OptimizationRequest, *, assets: int) -> None:
    if assets == 1 and request.space.inner:
        raise InvalidInput("space.inner", list(request.space.inner), allowed="empty for a universe of one asset")
    mixes = (None,) if assets == 1 else request.space.inner or MIXES
    for place, config in enumerate(request.start):
        if config.inner not in mixes:
            accepted = "null for a universe of one asset" if assets == 1 else ", ".join(map(str, mixes))
            raise InvalidInput(f"start.{place}.inner", config.inner, allowed=accepted)


def warm_up_sessions(request: OptimizationRequest) -> int:
    """Unscored sessions that the slowest rule of a resolved request needs."""
    return max(request.space.longest_lookback(), _lookback(request.current_rule)) + request.mandate.decision_lag


def _lookback(rule: StrategyConfig) -> int:
    if not ESTIMATORS[rule.estimator].simulated:  # no search space may hold it
        return rule.longest_lookback()
    return SearchSpace(
        weight_functions=("cppi" if rule.weight_function == "constant" else rule.weight_function,),
        estimators=(rule.estimator,),
        lookback_days=(rule.lookback_days or 10,),
        inner=() if rule.inner is None else (rule.inner,),
    ).longest_lookback()


def holdout_days(days: int) -> int:
    """Number of locked returns among `days`."""
    return _holdout_days(days, DEFAULT_SPLIT)


def _holdout_days(days: int, parts: Split) -> int:
    return max(round((1.0 - parts.training - parts.validation) * days), MIN_HOLDOUT)


def locked_days(days: int) -> int:
    """Number of locked returns among `days`; 0 for data too short for any search, which keep no holdout."""
    return holdout_days(days) if days >= MIN_HOLDOUT + round(MIN_TRAIN * _searched(DEFAULT_SPLIT)) else 0


def _searched(parts: Split) -> float:
    """Days that are not locked, for each training day."""
    return (parts.training + parts.validation) / parts.training


def split(days: int, warm_up: int, parts: Split = DEFAULT_SPLIT) -> tuple[slice, slice, slice]:
    """Return the rows of train, validate and holdout; `InvalidInput` if there are too few days."""
    holdout = _holdout_days(days, parts)
    train_end = round((days - holdout) * parts.training / (parts.training + parts.validation))
    if 3 * warm_up > days:
        raise InvalidInput(
            "space.lookback_days",
            f"{warm_up} sessions with the decision lag",
            allowed=f"at most a third of the {days} returns that the data hold ({days // 3})",
        )
    if train_end - warm_up < MIN_TRAIN:
        needed = MIN_HOLDOUT + round((warm_up + MIN_TRAIN) * _searched(parts)) + 1
        raise InvalidInput(
            "prices",
            f"{days} returns",
            allowed=f"at least {needed}: {MIN_TRAIN} scored training days after a warm-up of {warm_up}, "
            f"a validation part and a locked holdout of {MIN_HOLDOUT}",
        )
    return slice(warm_up, train_end), slice(train_end, days - holdout), slice(days - holdout, days)
