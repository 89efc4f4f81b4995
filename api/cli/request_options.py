"""Builds an `OptimizationRequest` from options or from a file; an error names the option or the field."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from api.accepted_values import input_error, split_path
from api.cli.options import OVERRIDES, PATHS
from desk.base.errors import InvalidInput
from desk.optimization.request import OptimizationRequest
from desk.scenarios.schemas import HISTORY
from quant.strategies.choices import estimators_with
from quant.strategies.config import LENGTHS
from quant.worlds.scenario import BUILT_IN, CYCLE, Scenario

MONTH = 21
"""Sessions per month, as in the simulations."""
FREED = {"target_volatility": (0.06, 0.08, 0.10, 0.12, 0.14, 0.16, 0.18, 0.20)}
LARGEST_FILE = 1_000_000
KNOWN = {scenario.name: scenario for scenario in (*BUILT_IN, CYCLE)}

_OPTION_OF = {path: name for name, path in PATHS.items()} | {
    "space.target_volatility": "--free",
    "prices_file": "--prices",
    "price_index": "--price-index",
    "mandate": "--min-weight, --max-weight",
    "limits": "--var, --expected-shortfall",
    "limits.max_drawdown": "--max-drawdown",
    "limits.leverage": "--max-leverage",
    "min_weight": "--min-weight",
    "max_weight": "--max-weight",
    "value_at_risk": "--var",
    "expected_shortfall": "--expected-shortfall",
    "leverage": "--max-leverage",
    "max_drawdown.bound": "--max-drawdown",
    "value_at_risk.bound": "--var",
    "expected_shortfall.bound": "--expected-shortfall",
    "scenarios": "--scenarios",
    "limits.leverage.bound": "--max-leverage",
    "space": "the options of the search space",
}


def request_from(options: Mapping[str, Any], file: str | None) -> OptimizationRequest:
    """The request of `options`, by parameter name, or of a file that they override."""
    if file is None:
        try:
            return OptimizationRequest.model_validate(_from_options(options))
        except ValidationError as error:
            raise input_error(error, option_of) from error
    extra = sorted(_typed(name) for name in options.keys() - OVERRIDES)
    if extra:
        allowed = ", ".join(sorted(_typed(name) for name in OVERRIDES))
        reason = f"{', '.join(extra)} cannot accompany a request file, which sets the fields"
        raise InvalidInput("--request", file, reason=reason, allowed=allowed)
    content = _override(read_request_file(Path(file)), options)
    try:
        return OptimizationRequest.model_validate(content)
    except ValidationError as error:
        raise input_error(error) from error


def option_of(path: str) -> str:
    """The option that sets the field at `path`, or the path itself."""
    steps = [step for step in split_path(path) if isinstance(step, str)]
    return _OPTION_OF.get(".".join(steps), path)


def name_as_typed(error: InvalidInput, *, by_options: bool) -> InvalidInput:
    """The error with its field named as the person typed it."""
    name = option_of(error.field) if by_options else error.field
    if name != error.field:
        error.args = (name + str(error).removeprefix(error.field),)
    return error


def _typed(name: str) -> str:
    return "--" + name.replace("_", "-")


def _from_options(options: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {}
    by_parameter = {option[2:].replace("-", "_"): path for option, path in PATHS.items()}
    for name, value in options.items():
        if name in by_parameter and not by_parameter[name].startswith("scenarios."):
            _put(request, by_parameter[name], value)
    if "prices" in options:
        request["prices_file"] = str(Path(options["prices"]).absolute())
        request.setdefault("universe", "file")
    if "price_index" in options:
        request["price_index"] = options["price_index"]
    if "lookback_months" in options:
        sessions = [_sessions(months) for months in options["lookback_months"]]
        space = request.setdefault("space", {})
        space["lookback_days"] = list(dict.fromkeys([*space.get("lookback_days", []), *sessions]))
    _match_estimators(request.get("space", {}))
    _check_dividends(options)
    for name in options.get("free", ()):
        if name not in FREED:
            raise InvalidInput("--free", name, allowed=", ".join(FREED))
        request.setdefault("space", {})[name] = FREED[name]
    request["scenarios"] = _scenarios(options)
    _check_limits(request)
    return request


def _match_estimators(space: dict[str, Any]) -> None:
    """A lookback or a decay without estimators leaves the estimators that have one, or others would be tried beside."""
    lengths = space.keys() & {*LENGTHS}
    if lengths and "estimators" not in space:
        space["estimators"] = estimators_with(lengths)


def _check_dividends(options: Mapping[str, Any]) -> None:
    if "dividend_yield" in options and "prices" in options and not options.get("price_index"):
        raise InvalidInput(
            "--dividend-yield",
            options["dividend_yield"],
            reason=f"{options['dividend_yield']} is not added: the price file counts as total return",
            allowed="--price-index beside it, for a file without dividends",
        )


def _put(request: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        request = request.setdefault(parent, {})
    request[last] = value


def _sessions(months: str) -> int:
    if months not in map(str, range(1, 25)):
        raise InvalidInput("--lookback-months", months, allowed="a whole number, 1 to 24")
    return int(months) * MONTH


def _scenarios(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [name.strip() for text in options.get("scenarios", ()) for name in text.split(",")]
    for name in names:
        if name not in KNOWN:
            raise InvalidInput("--scenarios", name, allowed=", ".join(KNOWN))
    scenarios: Iterable[Scenario] = [KNOWN[name] for name in names] if names else BUILT_IN
    changes = {name: options[name] for name in ("engine", "premium_power", "paths", "years") if name in options}
    if changes.get("premium_power", "").isdecimal():
        changes["premium_power"] = int(changes["premium_power"])
    return [_changed(scenario, changes) for scenario in scenarios]


def _changed(scenario: Scenario, changes: Mapping[str, Any]) -> dict[str, Any]:
    applicable = {name: value for name, value in changes.items() if name != "engine" or not scenario.states}
    return scenario.model_dump() | applicable


def _check_limits(request: dict[str, Any]) -> None:
    """Check the tolerance; without the base case, limits hold in the first scenario and on history."""
    limits: dict[str, dict[str, Any]] = request.get("limits", {})
    drawdown = limits.get("max_drawdown")
    if drawdown is not None and "bound" not in drawdown:
        reason = "no drawdown limit is set"
        raise InvalidInput(
            "--drawdown-tolerance",
            drawdown["tolerated"],
            reason=reason,
            allowed="together with --max-drawdown",
        )
    names = [scenario["name"] for scenario in request["scenarios"]]
    if "base_case" not in names:
        for limit in limits.values():
            limit["scenarios"] = (names[0], HISTORY)


def _override(content: Any, options: Mapping[str, Any]) -> Any:
    if not isinstance(content, dict):
        return content
    changed = content | {name: options[name] for name in ("name", "trials", "seed") if name in options}
    sizes = {name: options[name] for name in ("paths", "years") if name in options}
    if sizes:
        scenarios = content.get("scenarios", [scenario.model_dump() for scenario in BUILT_IN])
        if isinstance(scenarios, list):
            changed["scenarios"] = [s | sizes if isinstance(s, dict) else s for s in scenarios]
    return changed


def read_request_file(path: Path) -> Any:
    """The JSON in `path`; a field that appears twice is refused."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InvalidInput(
                "--request",
                str(path),
                reason=f"{path} is too large",
                allowed="a request of at most 1 MB",
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(
            "--request", str(path), reason=f"{path} cannot be read: {error.strerror}", allowed="a JSON file"
        ) from error
    except ValueError as error:
        raise InvalidInput("--request", str(path), reason=f"{path} is not UTF-8 text", allowed="a JSON file") from error
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        reason = f"{path}, line {error.lineno}, column {error.colno} is not JSON: {error.msg}"
        raise InvalidInput("--request", str(path), reason=reason, allowed="a JSON object") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            "--request",
            str(path),
            reason=f"{path}: a number is too large, or the nesting too deep",
            allowed="a JSON object",
        ) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(
            "--request",
            twice,
            reason=f"the field {twice!r} appears twice",
            allowed="each field once",
        )
    return content
