import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform

from quant.allocation.hierarchical import VARIANTS, HierarchicalPortfolio, hierarchical_risk_parity, hrp_weights
from quant.numeric.errors import DataError

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


def covariance(seed: int, assets: int) -> np.ndarray:
    """Of a sample with sectors and very different volatilities."""
    rng = np.random.default_rng(seed)
    sectors = rng.normal(size=(assets + 40, 3))[:, rng.integers(0, 3, assets)]
    x = (sectors + rng.normal(size=(assets + 40, assets))) * np.exp(rng.normal(-4.0, 0.8, assets))
    return np.cov(x.T).reshape(assets, assets)


def papers_weights(cov: np.ndarray, order: list[int]) -> np.ndarray:
    """Lopez de Prado (2016), section A.3, `getRecBipart` in numpy."""
    weights = np.ones(len(cov))

    def variance(items: list[int]) -> float:
        part = cov[np.ix_(items, items)]
        inverse = 1.0 / np.diag(part)
        inverse /= inverse.sum()
        return float(inverse @ part @ inverse)

    def split(items: list[int]) -> None:
        if len(items) < 2:
            return
        left, right = items[: len(items) // 2], items[len(items) // 2 :]
        alpha = 1.0 - variance(left) / (variance(left) + variance(right))
        weights[left] *= alpha
        weights[right] *= 1.0 - alpha
        split(left)
        split(right)

    split(order)
    return weights


def reference(cov: np.ndarray, linkage: str, distance: str, order: str) -> HierarchicalPortfolio:
    deviation = np.sqrt(np.diag(cov))
    d = np.sqrt(np.clip((1.0 - cov / np.outer(deviation, deviation)) / 2.0, 0.0, 1.0))
    np.fill_diagonal(d, 0.0)
    condensed = pdist(d.T) if distance == "lopez_de_prado_2016" else squareform(d, checks=False)
    links = hierarchy.linkage(condensed, linkage, optimal_ordering=order == "optimal")
    leaves = hierarchy.leaves_list(links)
    return HierarchicalPortfolio(papers_weights(cov, leaves.tolist()), links, leaves)


@pytest.mark.parametrize("order", ["tree", "optimal"])
@pytest.mark.parametrize("distance", ["lopez_de_prado_2016", "correlation"])
@pytest.mark.parametrize("linkage", ["single", "ward", "average", "complete"])
@pytest.mark.parametrize("assets", [2, 3, 11, 70])
def test_portfolios_are_the_papers_on_scipys_tree(assets: int, linkage: Any, distance: Any, order: Any) -> None:
    for seed in range(3):
        cov = covariance(seed, assets)
        ours = hierarchical_risk_parity(cov, linkage=linkage, distance=distance, order=order)
        theirs = reference(cov, linkage, distance, order)
        np.testing.assert_array_equal(ours.order, theirs.order)
        np.testing.assert_allclose(ours.linkage, theirs.linkage, rtol=1e-9)
        np.testing.assert_allclose(ours.weights, theirs.weights, rtol=1e-10)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_its_three_choices(variant: Any) -> None:
    cov = covariance(5, 15)
    linkage, distance, order = VARIANTS[variant]
    ours = hierarchical_risk_parity(cov, variant=variant)
    theirs = reference(cov, linkage, distance, order)
    np.testing.assert_array_equal(ours.order, theirs.order)
    np.testing.assert_allclose(ours.weights, theirs.weights, rtol=1e-10)


def test_the_default_is_the_papers() -> None:
    cov = covariance(6, 15)
    theirs = reference(cov, "single", "lopez_de_prado_2016", "tree")
    np.testing.assert_allclose(hierarchical_risk_parity(cov).weights, theirs.weights, rtol=1e-10)


@few
@given(seeds, st.integers(2, 30), st.integers(2, 6))
def test_ties_are_resolved_as_scipy_does(seed: int, assets: int, values: int) -> None:
    """Correlations from a grid of a few values, diagonally dominant; exact in binary, so that ties are ties."""
    rng = np.random.default_rng(seed)
    corr = rng.integers(0, values, (assets, assets)) / 256.0
    corr = np.triu(corr, 1) + np.triu(corr, 1).T
    np.fill_diagonal(corr, 1.0)
    ours = hierarchical_risk_parity(corr, variant="pyportfolioopt")
    theirs = reference(corr, "single", "correlation", "tree")
    np.testing.assert_array_equal(ours.linkage, theirs.linkage)
    np.testing.assert_array_equal(ours.order, theirs.order)


@few
@given(seeds, st.integers(1, 40), st.booleans())
def test_the_core_for_kernels_gives_the_same_weights(seed: int, assets: int, of_columns: bool) -> None:
    cov = covariance(seed, assets)
    out = np.empty(assets)
    hrp_weights(cov, of_columns, out)
    variant = "lopez_de_prado_2016" if of_columns else "pyportfolioopt"
    np.testing.assert_array_equal(out, hierarchical_risk_parity(cov, variant=variant).weights)


@few
@given(seeds, st.integers(1, 40), st.sampled_from(sorted(VARIANTS)))
def test_weights_are_positive_sum_to_one_and_the_linkage_is_valid(seed: int, assets: int, variant: Any) -> None:
    portfolio = hierarchical_risk_parity(covariance(seed, assets), variant=variant)
    assert (portfolio.weights > 0.0).all()
    assert portfolio.weights.sum() == pytest.approx(1.0, abs=1e-13)
    assert sorted(portfolio.order.tolist()) == list(range(assets))
    assert portfolio.linkage.shape == (assets - 1, 4)
    assert assets == 1 or hierarchy.is_valid_linkage(portfolio.linkage)


@few
@given(seeds, st.floats(1e-6, 1e6))
def test_the_scale_of_the_returns_does_not_matter(seed: int, scale: float) -> None:
    cov = covariance(seed, 12)
    np.testing.assert_allclose(
        hierarchical_risk_parity(scale * cov).weights, hierarchical_risk_parity(cov).weights, rtol=1e-9
    )


@settings(max_examples=10, deadline=None)
@given(seeds, st.permutations(range(9)))
def test_weights_follow_the_assets_where_the_order_of_leaves_is_unique(seed: int, scaled: list[int]) -> None:
    """Leaves of a tree can be mirrored, which changes who is halved with whom; two blocks of assets cannot."""
    cov = covariance(seed, 9)
    base = hierarchical_risk_parity(cov)
    again = hierarchical_risk_parity(cov[np.ix_(scaled, scaled)])
    np.testing.assert_allclose(np.sort(again.linkage[:, 2]), np.sort(base.linkage[:, 2]), rtol=1e-9)
    pair = cov[np.ix_(scaled[:2], scaled[:2])]
    np.testing.assert_allclose(
        hierarchical_risk_parity(pair).weights, hierarchical_risk_parity(pair[::-1, ::-1]).weights[::-1], rtol=1e-12
    )


def test_uncorrelated_assets_are_weighted_by_inverse_variance() -> None:
    """Closed form: w_i = (1 / v_i) / sum_j (1 / v_j), whatever the tree."""
    variance = np.geomspace(1e-4, 1.0, 13)
    expected = (1.0 / variance) / (1.0 / variance).sum()
    for variant in VARIANTS:
        np.testing.assert_allclose(
            hierarchical_risk_parity(np.diag(variance), variant=variant).weights, expected, rtol=1e-12
        )


def test_one_asset_holds_everything() -> None:
    for linkage in ("single", "ward"):
        portfolio = hierarchical_risk_parity([[0.04]], linkage=linkage)
        assert portfolio.weights.tolist() == [1.0]
        assert portfolio.linkage.shape == (0, 4)
        assert portfolio.order.tolist() == [0]


def test_duplicated_assets_are_joined_first_and_held_alike() -> None:
    """Perfect correlations are rounded on either side of 1, where scipy alone would be handed a NaN."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 4)) * [0.01, 0.013, 0.02, 0.007]
    x = np.column_stack([x, x])
    cov = np.cov(x.T)
    for variant in ("lopez_de_prado_2016", "pyportfolioopt"):
        portfolio = hierarchical_risk_parity(cov, variant=variant)
        pairs = {tuple(sorted(row)) for row in portfolio.linkage[:4, :2].astype(int).tolist()}
        assert pairs == {(0, 4), (1, 5), (2, 6), (3, 7)}
        np.testing.assert_allclose(portfolio.weights[:4], portfolio.weights[4:], rtol=1e-9)


def test_500_assets_and_a_nearly_singular_covariance() -> None:
    """Above 64 assets the distances come from a matrix product, whose digits cancel for assets that are alike."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=(600, 250)) + rng.normal(size=(600, 1))
    x = np.column_stack([x, x + 1e-5 * rng.normal(size=x.shape)])
    cov = np.cov(x.T)
    ours = hierarchical_risk_parity(cov)
    theirs = reference(cov, "single", "lopez_de_prado_2016", "tree")
    np.testing.assert_array_equal(ours.order, theirs.order)
    np.testing.assert_allclose(ours.linkage, theirs.linkage, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(ours.weights, theirs.weights, rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hierarchical_risk_parity(np.diag([1.0, 0.0])), "positive variances; asset 1 has 0.0"),
        (lambda: hierarchical_risk_parity([[1.0, 2.0], [2.0, 1.0]]), "smallest eigenvalue of its correlations is -1"),
        (lambda: hierarchical_risk_parity([[1.0, math.nan], [math.nan, 1.0]]), "`cov` must be finite"),
        (lambda: hierarchical_risk_parity(np.eye(3)[:2]), "`cov` must have shape"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize("option", ["variant", "linkage", "distance", "order"])
def test_an_unknown_option_is_refused_with_those_that_are_known(option: str) -> None:
    options: dict[str, Any] = {option: "sorted"}
    with pytest.raises(DataError, match=f"`{option}` must be one of .*, .*; got 'sorted'"):
        hierarchical_risk_parity(np.eye(2), **options)
