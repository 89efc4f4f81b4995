"""Instances, their prices, and the estimated duration and cost of a search."""

from pathlib import Path

import pytest

from desk.base.errors import InvalidInput
from desk.compute.instance_types import read_instances
from desk.governance.approvals import DEFAULT_THRESHOLDS
from desk.governance.estimates import Machines
from desk.optimization.estimate import estimate
from desk.optimization.request import OptimizationRequest
from quant.worlds.scenario import BUILT_IN

FLEET = Machines(
    kind="sagemaker", instances=4, cores=64, instance_type="ml.c5.4xlarge", dollars_per_hour=0.816, starting_seconds=240
)


def wide(paths: int) -> OptimizationRequest:
    return OptimizationRequest(scenarios=tuple(s.model_copy(update={"paths": paths}) for s in BUILT_IN))


def test_a_custom_table_takes_precedence(tmp_path: Path):
    own = tmp_path / "prices.toml"
    own.write_text(
        'as_of = 2026-01-01\nsource = "bill"\n'
        '[[instances]]\ntype = "ml.c5.4xlarge"\ncores = 16\ndollars_per_hour = 0.5\n'
    )

    table = read_instances(own)

    assert [(i.cores, i.dollars_per_hour) for i in [table.of("ml.c5.4xlarge")] if i] == [(16, 0.5)]
    assert table.of("ml.c5.xlarge") == read_instances().of("ml.c5.xlarge")
    assert table.of("ml.none.large") is None


def test_a_table_that_cannot_be_used_is_named(tmp_path: Path):
    own = tmp_path / "prices.toml"
    own.write_text('as_of = 2026-01-01\nsource = ""\ninstances = [{type = "c5", cores = 0, dollars_per_hour = -1}]\n')

    with pytest.raises(InvalidInput, match=r"INSTANCE_PRICES.*prices\.toml"):
        read_instances(own)


def test_paid_machines_have_a_price_and_need_approval():
    small, large = estimate(wide(1_000), machines=FLEET), estimate(wide(100_000), machines=FLEET)

    assert (small.instances, large.instances) == (4, 4)
    # four instances for the four minutes that they take to start alone cost 22 cents
    assert 0.22 <= small.dollars <= large.dollars
    assert DEFAULT_THRESHOLDS.exceeded(small) == ("instances",)


def test_more_machines_are_faster_once_the_search_is_long_enough():
    one, many = Machines(cores=2), FLEET
    long = wide(100_000).model_copy(update={"trials": 1_000})

    assert estimate(wide(1_000), machines=one).seconds < estimate(wide(1_000), machines=many).seconds
    assert estimate(long, machines=many).seconds < estimate(long, machines=one).seconds


def test_machines_without_a_price_cost_nothing():
    assert estimate(wide(1_000)).dollars == 0.0
    assert DEFAULT_THRESHOLDS.exceeded(estimate(wide(1_000))) == ()
