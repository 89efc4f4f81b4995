"""Drawing of charts as SVG: text stays text, the page sets the colours, equal input gives equal bytes."""

import html
import io
import re
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

INK, MUTED, RULE, OURS, THEIRS, THIRD = (
    "#010101",
    "#020202",
    "#030303",
    "#040404",
    "#050505",
    "#060606",
)
_THEMED = {INK: "ink", MUTED: "muted", RULE: "rule", OURS: "ours", THEIRS: "theirs", THIRD: "third"}
"""Colours that become variables of the page's style sheet, so that light, dark and print each have their own."""

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "stratigos",
    "font.size": 11,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "lines.linewidth": 1.6,
    "lines.solid_joinstyle": "round",
    "text.parse_math": False,
    "path.simplify_threshold": 0.5,
}
_POINTS = 900
"""Points that a line of a time chart keeps."""


class Chart(NamedTuple):
    """A drawn chart with its title and the sentence that says the same in words."""

    id: str
    title: str
    caption: str
    svg: str


_ALONE = threading.Lock()
"""Matplotlib's style and the filters of warnings are those of the whole process."""


def draw(
    id_: str,
    heading: str,
    caption: str,
    paint: Callable[[Axes], None],
    *,
    height: float = 260,
    width: float = 460,
) -> Chart:
    """The chart that `paint` draws, `width` by `height` points."""
    with _ALONE, rc_context(_STYLE), warnings.catch_warnings():  # pyright: ignore[reportArgumentType]
        # the font measures the text only: the page draws it with fonts of the reader
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")
        canvas = Canvas(figsize=(width / 72, height / 72), dpi=72, layout="constrained")
        FigureCanvasSVG(canvas)
        axes = canvas.add_subplot()
        paint(axes)
        layout = canvas.get_layout_engine()
        assert layout is not None
        layout.execute(canvas)
        canvas.set_layout_engine(None)  # otherwise `savefig` draws everything once more to arrange it
        out = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas.savefig(out, format="svg", transparent=True, metadata=nothing)
    return Chart(id_, heading, caption, _inline(out.getvalue(), id_, heading, caption))


def _inline(svg: str, id_: str, heading: str, caption: str) -> str:
    """Cut the SVG out of its document, name its parts after the chart, and hand its colours to the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<style type="text/css">.*?</style>', "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{id_}-\1"', svg)
    svg = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{id_}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{id_}-\1)", svg)
    for colour, name in _THEMED.items():
        svg = svg.replace(colour, f"var(--{name})")
    box = re.search(r'viewBox="([^"]+)"', svg)
    assert box is not None, "matplotlib writes a viewBox"
    head = (
        f'<svg viewBox="{box[1]}" role="img" aria-labelledby="{id_}-title {id_}-desc">'
        f'<title id="{id_}-title">{html.escape(heading)}</title><desc id="{id_}-desc">{html.escape(caption)}</desc>'
    )
    return head + svg[svg.index(">") + 1 :].strip()


def thin_out(days: np.ndarray) -> np.ndarray:
    """Rows of a line with at most `_POINTS` points, evenly spread, both ends included."""
    return np.unique(np.linspace(0, days.size - 1, min(days.size, _POINTS)).astype("int64"))


def draw_key(axes: Axes, entries: Sequence[tuple[str, str, str]]) -> None:
    """A legend above the chart; sign and colour both tell the entries apart."""
    handles = [
        Line2D(
            [],
            [],
            color=colour,
            linestyle="-" if sign == "-" else "",
            marker="" if sign == "-" else sign,
            label=label,
        )
        for label, colour, sign in entries
    ]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, columnspacing=1.2,
                handletextpad=0.4, handlelength=1.2, borderaxespad=0.1)  # fmt: skip


def figure_element(charts: Mapping[str, Chart], id_: str) -> Markup:
    """The chart as a figure element; nothing if there is no such chart."""
    if id_ not in charts:
        return Markup()
    chart = charts[id_]
    return Markup('<figure class="chart"><figcaption><b>{}.</b> {}</figcaption>{}</figure>').format(
        chart.title,
        chart.caption,
        Markup(chart.svg),  # noqa: S704 - drawn here; texts in it are escaped by matplotlib
    )
