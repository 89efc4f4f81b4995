"""From a stored run to its report."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api.settings import Settings
from tools.optimization import OptimizationResult

if TYPE_CHECKING:
    from store.store import Store


async def report(store: "Store", owner: str, run: str, result: OptimizationResult) -> str:
    """The report as one HTML page."""
    from api.report import History, render  # matplotlib
    from tools.holdout import opened_holdout
    from tools.trials import load_series

    opened = await opened_holdout(store, owner, run)
    history = None
    if result.history_series is not None:
        rows = await load_series(store, owner, result.history_series, rows=len(History._fields))
        history = History(*rows)
    return render(result, run=run, made=datetime.now(UTC), history=history, watermark=opened and opened.watermark)


def report_path(settings: Settings, run: str) -> Path:
    return settings.home / "reports" / f"{run}.html"


def write(path: Path, content: str) -> None:
    """Put `content` there whole, or leave what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(content, encoding="utf-8", newline="")
    draft.replace(path)
