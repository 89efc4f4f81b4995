"""The charts of the report."""

import datetime as dt
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from api.export.drawing import INK, MUTED, OURS, THEIRS, THIRD, Chart, draw, draw_key, thin_out
from desk.base.text import number, title
from desk.optimization.reading import chart_findings
from desk.optimization.reading.history import History
from desk.optimization.result import OptimizationResult
from quant.numeric.units import BASIS_POINTS


def charts(result: OptimizationResult, history: History | None) -> dict[str, Chart]:
    """Every chart that `result` has the data for, by id."""
    drawings: list[Chart] = []
    if result.trials:
        drawings += [_convergence(result), _scatter(result)]
    if result.scenarios:
        drawings.append(_scenarios(result))
    if result.years:
        drawings.append(_years(result))
    if history is not None:
        drawings += [_weight(result, history), _drawdown(result, history)]
        if history.asset_weights is not None:
            drawings.append(_asset_weights(result, history))
    if result.luck is not None and result.luck.logits:
        drawings.append(_logits(result))
    if result.importance:
        drawings.append(_importance(result))
    return {chart.id: chart for chart in drawings}


def _convergence(result: OptimizationResult) -> Chart:
    trials = sorted(result.trials, key=lambda t: t.number)
    best = np.maximum.accumulate([t.objective if t.feasible else -np.inf for t in trials])

    def paint(axes: Axes) -> None:
        values = np.array([t.objective for t in trials]) * BASIS_POINTS
        low, high = np.quantile(values, [0.05, 1.0])
        axes.scatter([t.number for t in trials], values, s=13, color=THEIRS, alpha=0.75, linewidths=0)
        axes.step([t.number for t in trials], best * BASIS_POINTS, where="post", color=OURS)
        axes.set_ylim(low - 0.15 * (high - low) - 1, high + 0.12 * (high - low) + 1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="Trial", ylabel="Objective, bps a year")
        draw_key(axes, [("Best so far, in sample", OURS, "-"), ("A trial", THEIRS, "o")])

    caption = f"{chart_findings.convergence(trials)} The lowest twentieth is cut off."
    return draw("convergence", "Convergence", caption, paint)


def _scatter(result: OptimizationResult) -> Chart:
    winner = result.winner.digest if result.winner else None

    def paint(axes: Axes) -> None:
        for feasible, marker, colour in ((True, "o", THEIRS), (False, "x", THIRD)):
            some = [t for t in result.trials if t.feasible == feasible and t.digest != winner]
            axes.scatter(
                [100 * t.volatility for t in some],
                [100 * t.excess_return for t in some],
                s=16,
                marker=marker,
                color=colour,
                alpha=0.8,
                linewidths=0.0 if feasible else 1.1,
            )
        for t in result.trials:
            if t.digest == winner:
                axes.scatter(
                    100 * t.volatility,
                    100 * t.excess_return,
                    s=120,
                    marker="*",
                    color=OURS,
                    zorder=5,
                )
        axes.set(xlabel="Volatility, % a year", ylabel="Excess return, % a year")
        draw_key(
            axes,
            [
                ("The chosen strategy", OURS, "*"),
                ("Meets the limits", THEIRS, "o"),
                ("Breaks a limit", THIRD, "x"),
            ],
        )

    return draw("scatter", "Risk and return", chart_findings.risk_return(result.trials), paint)


def _scenarios(result: OptimizationResult) -> Chart:
    rows = result.scenarios[::-1]

    def paint(axes: Axes) -> None:
        values = [s.benefit_bps.value for s in rows]
        errors = [1.96 * (s.benefit_bps.error or 0.0) for s in rows]
        axes.barh(range(len(rows)), values, color=[OURS if v >= 0 else THIRD for v in values], height=0.55)
        axes.errorbar(values, range(len(rows)), xerr=errors, fmt="none", ecolor=INK, elinewidth=1.1, capsize=3)
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_yticks(range(len(rows)), [title(s.scenario) for s in rows])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Benefit over the constant weight, bps a year")

    return draw("scenarios", "Benefit by scenario", chart_findings.scenarios(result.scenarios), paint)


def _years(result: OptimizationResult) -> Chart:
    def paint(axes: Axes) -> None:
        years = np.array([y.year for y in result.years])
        axes.bar(years - 0.2, [100 * y.winner for y in result.years], width=0.4, color=OURS)
        axes.bar(years + 0.2, [100 * y.benchmark for y in result.years], width=0.4, color=THEIRS)
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.grid(visible=False, axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("Return, %")
        draw_key(axes, [("Strategy", OURS, "s"), ("Constant weight", THEIRS, "s")])

    return draw("years", "Calendar years", chart_findings.years(result.years), paint)


def _weight(result: OptimizationResult, history: History) -> Chart:
    keep = thin_out(history.days)

    def paint(axes: Axes) -> None:
        axes.plot(history.dates()[keep], 100 * history.winner_weight[keep], color=OURS, linewidth=1.1)
        axes.plot(history.dates()[keep], 100 * history.benchmark_weight[keep], color=THEIRS, linewidth=1.3)
        axes.set(ylabel="Risky weight, %", ylim=(0, None))
        _split(axes, result)
        draw_key(axes, [("Strategy", OURS, "-"), ("Constant weight", THEIRS, "-")])

    return draw("weight", "Weight over time", chart_findings.weights(history), paint)


_MOST_ASSETS = 4
"""Areas of the chart of weights; the smallest assets beyond them are one area."""


def _asset_weights(result: OptimizationResult, history: History) -> Chart:
    assert result.attribution is not None
    assert history.asset_weights is not None
    shares = result.attribution.assets
    keep = thin_out(history.days)
    order = sorted(range(len(shares)), key=lambda n: -shares[n].average_weight)
    named = order if len(order) <= _MOST_ASSETS else order[: _MOST_ASSETS - 1]
    areas = [(shares[n].name, 100 * history.asset_weights[n][keep]) for n in named]
    if len(named) < len(order):
        rest = order[len(named) :]
        areas.append((f"{len(rest)} others", 100 * history.asset_weights[rest][:, keep].sum(axis=0)))
    colours = (OURS, THEIRS, THIRD, MUTED)[: len(areas)]

    def paint(axes: Axes) -> None:
        axes.stackplot(history.dates()[keep], [weights for _, weights in areas], colors=colours, linewidth=0)
        axes.set(ylabel="Weight, %", ylim=(0, None))
        _split(axes, result)
        draw_key(axes, [(name, colour, "s") for (name, _), colour in zip(areas, colours, strict=True)])

    parts = ", ".join(f"{shares[n].name} {number(100 * shares[n].average_weight)}%" for n in named)
    return draw("asset_weights", "Weight of each asset over time", f"On average {parts} of wealth.", paint)


def _drawdown(result: OptimizationResult, history: History) -> Chart:
    keep = thin_out(history.days)
    ours, theirs, asset = (-history.drawdown(x) for x in (history.winner, history.benchmark, history.asset))

    def paint(axes: Axes) -> None:
        axes.plot(history.dates()[keep], 100 * asset[keep], color=THIRD, linewidth=0.9, alpha=0.8)
        axes.plot(history.dates()[keep], 100 * theirs[keep], color=THEIRS, linewidth=1.1)
        axes.plot(history.dates()[keep], 100 * ours[keep], color=OURS, linewidth=1.2)
        axes.set_ylabel("Drawdown, %")
        _split(axes, result)
        draw_key(
            axes,
            [("Strategy", OURS, "-"), ("Constant weight", THEIRS, "-"), ("100% asset", THIRD, "-")],
        )

    return draw("drawdown", "Drawdown over time", chart_findings.drawdown(history), paint)


def _logits(result: OptimizationResult) -> Chart:
    assert result.luck is not None
    edges = np.array([edge for edge, _ in result.luck.logits])
    counts = np.array([count for _, count in result.luck.logits])
    width = float(np.min(np.diff(edges))) if edges.size > 1 else 1.0

    def paint(axes: Axes) -> None:
        colours = [THIRD if edge + width / 2 <= 0 else OURS for edge in edges]
        axes.bar(edges, counts, width=width * 0.92, align="edge", color=colours)
        axes.axvline(0, color=INK, linewidth=1)
        axes.grid(visible=False, axis="x")
        axes.set(xlabel="Logit of the out-of-sample rank", ylabel="Splits of the history")
        draw_key(axes, [("Selected rule below the median", THIRD, "s"), ("Above the median", OURS, "s")])

    return draw("logits", "Selection on one half, judged on the other", chart_findings.logits(result.luck), paint)


def _importance(result: OptimizationResult) -> Chart:
    rows = sorted(result.importance.items(), key=lambda item: item[1])

    def paint(axes: Axes) -> None:
        axes.barh(
            [title(name) for name, _ in rows],
            [100 * share for _, share in rows],
            color=OURS,
            height=0.55,
        )
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Explained by this parameter alone, %")

    return draw("importance", "What matters", chart_findings.importance(result), paint)


def _split(axes: Axes, result: OptimizationResult) -> None:
    """Mark where the training history ends."""
    end: Any = dt.date.fromisoformat(result.manifest.train_end)
    axes.axvline(end, color=INK, linewidth=1, linestyle=(0, (3, 3)))
    axes.annotate(
        " validate",
        (end, 1.0),
        xycoords=("data", "axes fraction"),
        va="top",
        fontsize=9.5,
        color=MUTED,
    )
