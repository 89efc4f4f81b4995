"""What a store keeps changes the time of a simulation and no bit of it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from quant.strategies.rules import lay_out
from quant.strategies.simulation import GROUP, simulate
from quant.worlds.bond import Bond, BondModel, bond_model
from quant.worlds.path_store import PathStore, law_digest
from quant.worlds.paths import PathModel, path_model, without_premium
from quant.worlds.scenario import BUILT_IN
from tests.quant.strategies.sample_simulations import MANDATE, SEVERAL, WARM_UP, assert_equal_results, parameters_of

DAYS, PATHS = 42, 300
RULES = lay_out(SEVERAL[:4], MANDATE, model_parameters=parameters_of)
MODELS = [path_model(scenario, seed=7) for scenario in BUILT_IN[:3]]
BOND = bond_model(Bond(duration=7.0, convexity=60.0, level=0.04), BUILT_IN[0], seed=7)


class CountingStore(PathStore):
    """Counts what is drawn: legs that are not the same arrays as before."""

    def __init__(self, limit: int = 2**24) -> None:
        super().__init__(limit)
        self.drawn: dict[int, object] = {}

    def legs(self, *arguments, **places):
        legs = super().legs(*arguments, **places)
        self.drawn[id(legs)] = legs  # kept alive, so that no other has the same identity
        return legs


def run(model: PathModel, store: PathStore | None, *, bond: BondModel | None = None, first_block: int = 0):
    return simulate(
        RULES, model, paths=PATHS, days=DAYS, warm_up=WARM_UP, lag=MANDATE.decision_lag,
        risk_aversion=MANDATE.risk_aversion, bond=bond, first_block=first_block, keep_paths=True, store=store,
    )  # fmt: skip


@pytest.mark.parametrize("limit", [400_000, *(pytest.param(limit, marks=pytest.mark.soak) for limit in (0, 2**24))])
def test_the_bits_are_those_of_paths_that_are_drawn_anew(limit: int) -> None:
    store = PathStore(limit)
    for _, model, bond, first_block in product(range(2), MODELS, (None, BOND), (0, GROUP)):
        kept = run(model, store, bond=bond, first_block=first_block)
        assert_equal_results(kept, run(model, None, bond=bond, first_block=first_block))


def test_what_is_kept_is_drawn_once_and_what_is_beyond_the_limit_each_time() -> None:
    roomy, tight = CountingStore(), CountingStore(0)
    for store in (roomy, tight):
        run(MODELS[0], store)
    once = len(roomy.drawn)
    for store in (roomy, tight):
        run(MODELS[0], store)
    assert (len(roomy.drawn), len(tight.drawn)) == (once, 2 * once)


def test_another_first_block_replaces_what_is_kept() -> None:
    store = CountingStore()
    run(MODELS[0], store)
    once = len(store.drawn)
    run(MODELS[0], store, first_block=GROUP)
    run(MODELS[0], store)
    assert len(store.drawn) == 3 * once


def test_the_digest_of_a_law_names_everything_that_decides_its_paths() -> None:
    model = MODELS[0]
    others = [
        *MODELS[1:],
        replace(model, key=model.key + 1),
        replace(model, numbers=model.numbers + 1e-12),
        replace(model, history=np.zeros(3)),
        replace(model, stay=np.zeros(3)),
    ]
    digests = {
        law_digest(model, None, DAYS),
        law_digest(model, None, DAYS + 1),
        law_digest(model, BOND, DAYS),
        law_digest(model, replace(BOND, key=BOND.key + 1), DAYS),
        *(law_digest(other, None, DAYS) for other in others),
    }
    assert len(digests) == 4 + len(others)
    assert law_digest(replace(model, cash=0.5), None, DAYS) in digests  # cash is accounted for, not drawn


def test_models_that_differ_in_their_premium_alone_share_their_moves() -> None:
    scenario = next(each for each in BUILT_IN if each.engine == "heston" and each.premium_power == 1)
    changes = ({}, {"premium_power": 0}, {"mu": scenario.mu + 0.02}, {"sigma": 0.8 * scenario.sigma})
    models = [path_model(scenario.model_copy(update=change), seed=7) for change in changes]
    assert len({common.numbers.tobytes() for model in models if (common := without_premium(model))}) == 2
    for limit in (0, 400_000, 2**24):
        store = PathStore(limit)
        for _, model, bond in product(range(2), models, (None, BOND)):
            assert_equal_results(run(model, store, bond=bond), run(model, None, bond=bond))
