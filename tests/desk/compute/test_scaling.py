"""The figures of docs/scaling.md, against a search of up to twenty instances in simulated time."""

import re
from pathlib import Path
from typing import Any

import pytest

from desk.compute.instance_types import read_instances
from desk.governance.estimates import Machines
from tests.desk.compute.scaling_simulation import Costs, Fleet, Load, least_seconds, simulated

PAGE = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text(encoding="utf-8")
START = 240.0
PUT_SECONDS = 0.005 / 1_000
"""Dollars of a request."""
BIG = Load(trials=400, scenarios=20, paths=20_000)
"""More shards than cores in every round: with fewer, the slowest core sets the pace."""


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without the header."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def number(text: str) -> float:
    return float(re.sub(r"[^0-9.]", "", text))


def cases(heading: str) -> list[Any]:
    """The rows below a heading; searches of thousands of trials are for the soak."""
    return [
        pytest.param(
            row, id=" ".join(row[:4]), marks=[pytest.mark.soak] * bool(re.match(r"(100,000|1,000 20)", " ".join(row)))
        )
        for row in rows(heading)
    ]


@pytest.mark.parametrize("row", cases("What a search takes"))
def test_seconds_and_dollars_are_those_of_the_simulation(row: list[str]) -> None:
    trials, scenarios, paths = (int(number(part)) for part in row[1].split(" x "))
    load, instances = Load(trials, scenarios, paths), int(row[2])
    outcome = simulated(load, Fleet(instances))
    instance = read_instances().of("ml.c5.4xlarge")
    assert instance is not None
    machines = Machines(kind="sagemaker", instances=instances, dollars_per_hour=instance.dollars_per_hour)
    assert number(row[0]) == load.evaluations
    assert number(row[3]) == outcome.shards == outcome.computed
    assert number(row[4]) == pytest.approx(outcome.seconds, rel=0.10)
    assert number(row[5]) == pytest.approx(machines.dollars(START + outcome.seconds), rel=0.05, abs=0.01)
    assert least_seconds(load, Fleet(instances)) <= outcome.seconds


@pytest.mark.parametrize("row", cases("What S3 sees"))
def test_files_in_s3_are_the_shards_of_the_simulation(row: list[str]) -> None:
    trials, scenarios, paths = (int(number(part)) for part in row[1].split(" x "))
    outcome = simulated(Load(trials, scenarios, paths), Fleet(20))
    assert number(row[2]) == outcome.shards
    assert number(row[4]) == pytest.approx(outcome.shards * PUT_SECONDS, abs=0.005)


@pytest.mark.parametrize("row", cases("Where it ends"))
def test_more_instances_stop_helping_where_the_page_says(row: list[str]) -> None:
    """Twice the recommended instances gain less than a fifth; half of them lose more."""
    trials, scenarios, paths, instances = (int(number(cell)) for cell in row)
    load = Load(trials, scenarios, paths)
    half, here, twice = (simulated(load, Fleet(n)).seconds for n in (max(1, instances // 2), instances, 2 * instances))
    assert twice > 0.8 * here
    assert instances == 1 or half > 1.2 * here


def test_stragglers_and_failures_cost_what_was_in_flight_and_little_time() -> None:
    calm = simulated(BIG, Fleet(20))
    deaths = {4: 0.2 * calm.seconds, 9: 0.5 * calm.seconds, 17: 0.7 * calm.seconds}

    struck = simulated(BIG, Fleet(20, stragglers={1: 4.0, 2: 8.0}, deaths=deaths))

    assert struck.shards == calm.shards
    assert struck.computed <= struck.shards + struck.in_flight_at_deaths + struck.given_twice
    assert struck.in_flight_at_deaths <= 3 * 16
    # three of twenty are gone and two are slow: the work of five of twenty is missing at the most
    assert struck.seconds < 1.5 * calm.seconds


def test_a_shard_that_never_ends_is_reassigned() -> None:
    stuck = simulated(BIG, Fleet(4, stragglers={3: 10_000.0}))

    assert stuck.given_twice >= 1
    assert stuck.seconds < 3.0 * simulated(BIG, Fleet(3)).seconds


def test_an_instance_alone_is_as_slow_as_its_cores() -> None:
    load = Load(trials=100, scenarios=5, paths=100_000)
    work = load.evaluations * load.paths * load.days * Costs().path_day
    assert simulated(load, Fleet(1)).seconds == pytest.approx(work / 16 + 100 * Costs().trial, rel=0.15)
