"""Measures how often the verdict errs on generated histories, and writes docs/verdict.md.

Run by `make calibration`. Every measurement is one line of rows.jsonl; a second run continues the first, after it has
repeated some measurements with the same outcome. The tests repeat some of them too: the rates hold for the code as long
as it judges these histories alike.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

from desk.base.code_version import LIBRARIES, RATES
from quant.numeric.compilation import imported_files
from tests.calibration import measurements as measured
from tests.calibration.measurements import (
    KINDS,
    ROWS,
    Measurement,
    Row,
    is_repeated,
    measurement_of,
    measurements,
    sample_of,
)
from tests.calibration.page import rates, render_page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "verdict.md"
ERROR_RATES = ROOT / "desk" / "optimization" / "reading" / "error_rates.json"
DATA = (RATES, "desk/market/data/sp500_index.parquet")
"""Bundled series behind the generated histories."""
SECONDS_BETWEEN_PAGES = 300.0


def code_files() -> list[Path]:
    """The modules that decide the rates: that of the measurements, and all that it imports."""
    return imported_files(Path(measured.__file__))


def code_digest() -> str:
    """Digest of the code and the data that decide the rates, and of the numeric libraries."""
    content = hashlib.sha256()
    for path in (*code_files(), *(ROOT / name for name in DATA)):
        content.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for library in LIBRARIES:
        content.update(f"{library} {version(library)}\n".encode())
    return content.hexdigest()[:12]


def load_rows(path: Path) -> list[Row]:
    """The rows of a file; a line that an interruption cut short is left out."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def write_results(rows: Sequence[Row], arguments: argparse.Namespace) -> None:
    arguments.page.write_text(render_page(rows, code_digest()))
    arguments.rates.write_text(json.dumps({"code": code_digest(), **rates(rows)}) + "\n")


def main(arguments: argparse.Namespace) -> None:
    path = arguments.rows
    rows = load_rows(path)
    if not all(map(is_repeated, sample_of(rows))):
        sys.exit(f"the code judges otherwise than that of the rows in {path}; remove them, or name a file by --rows")
    finished = {measurement_of(row) for row in rows}
    pending = [each for each in measurements(arguments.share, arguments.only) if each not in finished]
    print(f"{len(pending)} measurements to do, {len(rows)} done; rows in {path}")
    start = time.monotonic()
    written = start
    with ProcessPoolExecutor(arguments.processes) as pool, path.open("a") as file:
        jobs = [pool.submit(Measurement.take, each) for each in pending]
        for count, job in enumerate(as_completed(jobs), 1):
            rows.append(job.result())
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
            now = time.monotonic()
            if now > written + SECONDS_BETWEEN_PAGES:  # an interrupted calibration leaves its rates so far
                write_results(rows, arguments)
                print(f"{count} of {len(jobs)}")
                written = now
            if now > start + 60.0 * arguments.minutes:
                pool.shutdown(cancel_futures=True)
                print("out of time; run again to continue")
                break
    write_results(rows, arguments)
    print(arguments.page.read_text())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="share of the histories of each family")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=KINDS, help="kinds of measurements, by default all")
    parser.add_argument("--minutes", type=float, default=90.0, help="stop after so many minutes")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    parser.add_argument("--rates", type=Path, default=ERROR_RATES, help="the numbers that the report quotes")
    parser.add_argument(
        "--rows", type=Path, default=ROWS, help="file of all measurements, which a second run continues"
    )
    main(parser.parse_args())
