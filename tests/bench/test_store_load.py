"""The chapter of docs/scaling.md about the store, and the limits that it must keep."""

import json
import re

import pytest

from tests.bench.store_load import (
    CROWDS,
    GIGABYTE,
    KINDS,
    MOST_GIGABYTES,
    MOST_WRITES,
    PAGE,
    RECORDED,
    Figures,
    chapter,
    measure,
    monthly_dollars,
    read_figures,
    yearly_bytes,
)

MOST_REQUESTS = {"job": 450, "turn": 95, "change": 8}
"""Without LangGraph's checkpoints: 1,100 for a job and 253 for a turn, all included, when they were first counted."""
MOST_DOLLARS = 2.0
"""A user and month."""
AGAIN = "the store works differently from the page: python -m tests.bench.store_load"


@pytest.fixture(scope="module")
def figures() -> Figures:
    return read_figures()


@pytest.fixture(scope="module")
def measured() -> Figures:
    """The activities alone, and the fewest users, by the store as it is now."""
    return measure(json.loads(RECORDED.read_text(encoding="utf-8")), CROWDS[:1])


def test_the_page_states_what_was_measured(figures: Figures) -> None:
    assert chapter(figures) in PAGE.read_text(encoding="utf-8"), AGAIN


def test_the_store_still_takes_what_the_page_states(figures: Figures, measured: Figures) -> None:
    for activity, load in measured.one.items():
        stated = figures.one[activity]
        assert load.requests == pytest.approx(stated.requests, rel=0.05), AGAIN
        assert load.writes == pytest.approx(stated.writes, rel=0.05), AGAIN
        assert load.stored == pytest.approx(stated.stored, rel=0.1, abs=500), AGAIN
        assert set(load.keys) == set(stated.keys), AGAIN
    [(users, load)] = measured.peak.items()
    assert load.writes == pytest.approx(figures.peak[users].writes, rel=0.1), AGAIN


def test_no_activity_makes_more_requests_than_allowed(measured: Figures) -> None:
    assert {name: load.requests for name, load in measured.one.items() if load.requests > MOST_REQUESTS[name]} == {}


def test_no_partition_key_fills_or_is_too_busy_within_a_year_of_a_thousand_users(figures: Figures) -> None:
    sizes = yearly_bytes(figures, max(CROWDS))
    assert {key: size for key, size in sizes.items() if size > MOST_GIGABYTES * GIGABYTE} == {}
    assert max(writes for load in figures.peak.values() for writes in load.peak_writes.values()) <= MOST_WRITES
    assert sum(load.refused for load in figures.peak.values()) == 0


def test_every_partition_key_is_of_one_kind_in_the_table(figures: Figures) -> None:
    keys = {key for load in (*figures.one.values(), *figures.peak.values()) for key in load.keys}
    assert {key for key in keys if sum(bool(re.match(pattern, key)) for pattern in KINDS.values()) != 1} == set()


def test_what_a_user_costs_is_limited(figures: Figures) -> None:
    assert sum(monthly_dollars(figures).values()) < MOST_DOLLARS
