"""The report of a stored run, and atomic writing of files."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api.settings import Settings
from desk.optimization.result import OptimizationResult

if TYPE_CHECKING:
    from store.store import Store


async def report(
    store: "Store", owner: str, run: str, result: OptimizationResult, *, created_at: datetime | None = None
) -> str:
    """The report as one HTML page; `created_at` is its date, by default now."""
    from desk.optimization.holdout import load_holdout
    from desk.optimization.reading.history import load_history

    holdout = await load_holdout(store, owner, run)
    history = await load_history(store, owner, result)

    def render_report() -> str:
        from api.export.report.page import render  # matplotlib

        watermark = holdout and holdout.watermark
        return render(result, run=run, created_at=created_at or datetime.now(UTC), history=history, watermark=watermark)

    return await asyncio.to_thread(render_report)  # drawing would block the event loop


def report_path(settings: Settings, run: str) -> Path:
    return settings.home / "reports" / f"{run}.html"


def write(path: Path, content: str | bytes) -> None:
    """Write `content` atomically: an interruption leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content.encode() if isinstance(content, str) else content)
    draft.replace(path)
