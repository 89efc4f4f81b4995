"""The report: one self-contained page in the order in which a manager should read it."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup, escape

from api.export import formatting as words
from api.export.drawing import figure_element
from api.export.report.charts import charts
from api.export.templates import load_template
from desk.base.text import sentence_case
from desk.figures.figures import Figure, RenderedClaim, format_figure
from desk.figures.guard.claims import split_by_figures
from desk.figures.labels import function_label
from desk.optimization.judgement.importance_figures import point_label
from desk.optimization.judgement.result_figures import simulated_timing
from desk.optimization.reading.error_rates import how_often_wrong
from desk.optimization.reading.explanation import (
    HEADINGS,
    HINDSIGHT,
    ONE_HISTORY,
    claims_by_section,
    error_sources,
    origin,
)
from desk.optimization.reading.history import History
from desk.optimization.request import CURRENT_RULE
from desk.optimization.result import COLOURS, OptimizationResult
from quant.strategies.metrics import METRICS, metrics_shown
from quant.worlds.scenario import GBM_BANNER


def render(
    result: OptimizationResult,
    *,
    run: str,
    created_at: datetime,
    history: History | None = None,
    watermark: str | None = None,
) -> str:
    """The whole page. The same result gives the same bytes but for `run` and `created_at`."""
    return _page().render(
        r=result,
        run=run,
        created_at=created_at,
        watermark=watermark,
        charts=charts(result, history),
        sections=[(HEADINGS[name], claims) for name, claims in claims_by_section(result).items()],
        figures={figure.id: figure for figure in result.figures},
        gbm=GBM_BANNER if any(s.engine == "gbm" for s in result.manifest.request.scenarios) else None,
        parameters=result.winner.config if result.winner else None,
        simulated=simulated_timing(result) if result.benefit else None,
        usual_rule=result.manifest.request.current_rule == CURRENT_RULE,
        digest=result.digest(),
    )


@cache
def _page() -> Template:
    return load_template(
        "page.html.j2",
        Path(__file__).parent,
        w=words,
        HINDSIGHT=HINDSIGHT,
        ONE_HISTORY=ONE_HISTORY,
        how_often_wrong=how_often_wrong,
        error_sources=error_sources,
        COLOURS=COLOURS,
        METRICS=METRICS,
        metrics_shown=metrics_shown,
        sentence_case=sentence_case,
        chart=figure_element,
        linked=linked,
        shown=format_figure,
        exact=exact,
        origin=origin,
        trial_name=trial_name,
        point_label=point_label,
    )


def linked(claim: RenderedClaim, figures: Mapping[str, Figure]) -> Markup:
    """The claim's text with each figure linked to its row in the table of figures."""
    pieces = split_by_figures(claim, figures.values())
    return Markup().join(_link(text, figure) if figure else escape(text) for text, figure in pieces)


def _link(text: str, figure: Figure) -> Markup:
    title = f"{figure.quantity}: computed as {figure.source}"
    return Markup('<a class="number" href="#figure-{}" title="{}">{}</a>').format(figure.id, title, text)


def trial_name(result: OptimizationResult, digest: str) -> str:
    """Number and weight function of a trial."""
    trial = next((t for t in result.trials if t.digest == digest), None)
    return digest[:8] if trial is None else f"{trial.number}, {function_label(trial.weight_function)}"


def exact(figure: Figure) -> tuple[str, str, str]:
    """Value, unit and error of a figure as its computation left them."""
    error = "" if figure.error is None else f"{figure.error:.6g}"
    return "" if isinstance(figure.value, str) else f"{figure.value:.6g}", figure.unit, error
