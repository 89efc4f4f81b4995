"""Measures how often the verdict errs on generated histories, and writes docs/verdict.md.

Run by `make calibration`. Every history is one line of a file in .cache/calibration, named by the code that the verdict
depends on; a second run continues the first.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path

from desk.base.code_version import code_version
from quant.strategies.goal import Goal
from tests.calibration.coverage import FAMILIES_COVERED, coverage, estimates, true_benefit
from tests.calibration.families import FAMILIES, Family
from tests.calibration.histories import LongRun, build_world, optimize, request
from tests.calibration.page import rates, render_page

ROOT = Path(__file__).parents[2]
GOALS: tuple[Goal, ...] = ("robust_utility", "benefit")
PAGE = ROOT / "docs" / "verdict.md"
RATES = ROOT / "desk" / "optimization" / "reading" / "error_rates.json"
COVERAGE_HISTORIES = 100


@cache
def long_run(name: str) -> LongRun:
    return LongRun(next(family for family in FAMILIES if family.name == name))


def measure(name: str, goal: str, seed: int) -> dict[str, object]:
    """Judge one history of a family."""
    family = next(family for family in FAMILIES if family.name == name)
    world = build_world(family, seed, request(seed, goal))
    result = optimize(world)
    row: dict[str, object] = {"family": name, "goal": goal, "seed": seed, "colour": result.verdict.colour}
    if result.luck is None or result.winner is None:
        return row
    luck = result.luck
    row |= luck.model_dump(
        include={"winner_p", "single_step_p", "active_t", "loss", "validate_t", "overfitting", "spa_p"}
    )
    row["function"] = result.winner.config.weight_function
    if family.edge is not None:
        row["true_t"] = float(long_run(name).t_ratios([result.winner.config])[0])
    if family in FAMILIES_COVERED and seed < COVERAGE_HISTORIES and result.benefit is not None:
        truth = true_benefit(world, long_run(name), result.winner.config, result.benefit.benchmark_weight)
        row["winner_held"] = bool(result.benefit.low <= truth <= result.benefit.high)
    return row


def best_t_ratio(name: str) -> dict[str, object]:
    return {"family": name, "best_t": long_run(name).best_t_ratio()}


def measure_coverage(name: str, histories: int) -> dict[str, object]:
    """How often the intervals of fixed configurations hold the truth."""
    family = next(family for family in FAMILIES if family.name == name)
    held, intervals = coverage([row for seed in range(histories) for row in estimates(family, seed)])
    return {"family": name, "held": held, "intervals": intervals}


def code_digest() -> str:
    """Digest of the code that decides the rates: the product's and this folder's."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    content = b"".join(path.read_bytes() for path in sources if path.name != "page.py")
    return hashlib.sha256(code_version().encode() + content).hexdigest()[:12]


def load_rows(path: Path) -> list[dict[str, object]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def pending(rows: list[dict[str, object]], share: float) -> Iterator[tuple[Family, str, int]]:
    """The histories without a row, family by family in turn, so that an interrupted run has some of each."""
    finished = {(row["family"], row["goal"], row["seed"]) for row in rows if "seed" in row}
    for seed in range(max(family.histories for family in FAMILIES)):
        for family in FAMILIES:
            if seed < max(1, round(share * family.histories)):
                for goal in GOALS:
                    if (family.name, goal, seed) not in finished:
                        yield family, goal, seed


def main(arguments: argparse.Namespace) -> None:
    path = arguments.rows or ROOT / ".cache" / "calibration" / f"{code_digest()}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = load_rows(path)
    known = {row["family"] for row in rows if "best_t" in row}
    deadline = time.monotonic() + 60.0 * arguments.minutes
    with ProcessPoolExecutor(arguments.processes) as pool, path.open("a") as file:
        counted = {row["family"] for row in rows if "held" in row}
        histories = max(2, round(arguments.share * COVERAGE_HISTORIES))
        jobs = [pool.submit(measure, family.name, goal, seed) for family, goal, seed in pending(rows, arguments.share)]
        jobs += [pool.submit(measure_coverage, f.name, histories) for f in FAMILIES_COVERED if f.name not in counted]
        jobs += [pool.submit(best_t_ratio, f.name) for f in FAMILIES if f.edge is not None and f.name not in known]
        print(f"{len(jobs)} measurements to do, {len(rows)} done; rows in {path}")
        for count, job in enumerate(as_completed(jobs), 1):
            rows.append(job.result())
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
            if count % 100 == 0:
                print(f"{count} of {len(jobs)}")
            if time.monotonic() > deadline:
                pool.shutdown(cancel_futures=True)
                print("out of time; run again to continue")
                break
    text = render_page(rows, code_digest())
    arguments.page.write_text(text)
    arguments.rates.write_text(json.dumps({"code": code_digest(), **rates(rows)}) + "\n")
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="share of the histories of each family")
    parser.add_argument("--minutes", type=float, default=90.0, help="stop after so many minutes")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    parser.add_argument("--rates", type=Path, default=RATES, help="the numbers that the report quotes")
    parser.add_argument("--rows", type=Path, help="file of the measurements, instead of one named by the code")
    main(parser.parse_args())
