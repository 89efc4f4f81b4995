"""The results of a run: every number is the service's, opens its computation, and the selection is in the address."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Route, expect

from api.export.formatting import bps, number, percent

TABS = ["", "risk", "time", "search", "trials", "costs", "manifest"]
FACTOR = 1.37
ONE_SYMBOL = range(15, 36)
"""Coloured pixels of one point; more are points that overlap."""
MOST_PIXELS_OFF = 2.0
SPELLED_OUT = {"inverse_vol": "inverse volatility", "inverse_vol_squared": "inverse variance"}
_MARKS = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    const free = new Set();
    for (let at = 0; at < width * height; at++) {
        const [red, green, blue, alpha] = data.subarray(4 * at, 4 * at + 4);
        if (alpha > 100 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) free.add(at);
    }
    const marks = [];
    for (const start of free) {
        free.delete(start);
        const mark = [start];
        for (const at of mark)
            for (const next of [at - 1, at + 1, at - width, at + width]) if (free.delete(next)) mark.push(next);
        const mean = (part) => mark.reduce((sum, at) => sum + part(at), 0) / mark.length;
        marks.push({ x: mean((at) => at % width), y: mean((at) => Math.floor(at / width)), size: mark.length });
    }
    return marks;
}"""
"""The connected areas of strong colour; axes and labels are grey."""


@pytest.fixture(scope="module")
def answers(service: str, job: str) -> dict[str, Any]:
    with httpx.Client(base_url=f"{service}/api/jobs/{job}", timeout=60.0) as client:
        return {name: client.get(f"/{name}").json() for name in ("result", "explanation", "charts")}


def _main(page) -> str:
    return re.sub(r"\s+", " ", page.locator("main").inner_text())


def _expected(answers: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Texts by tab, formatted by the rules of the report."""
    result, explanation = answers["result"], answers["explanation"]
    benefit, luck = result["benefit"], result["luck"]
    yield "", explanation["advice"]
    yield "", explanation["reason"]
    yield "", bps(benefit["basis_points"]["value"])
    yield "", f"{number(benefit['low'], signed=True)} to {number(benefit['high'], signed=True)} bps"
    own = next(rule for rule in result["benchmarks"] if rule["name"] == "current_rule")
    yield "", f"{bps(own['winner_minus_bps']['value'])} against your current rule: Inverse volatility, rolling"
    train = result["winner"]["train"]["metrics"]
    yield "", percent(train["volatility"]["value"])
    yield "", number(train["sharpe"]["value"], 2)
    yield "", percent(train["max_drawdown"]["value"])
    for section in explanation["sections"]:
        for claim in section["claims"]:
            yield "", "".join(piece["text"] for piece in claim)
    for tab, chart in {"": "growth", "risk": "scenarios", "time": "weights", "search": "convergence"}.items():
        yield tab, answers["charts"]["findings"][chart]
    for outcome in result["scenarios"]:
        yield "risk", number(outcome["benefit_bps"]["value"], signed=True)
        yield "risk", percent(outcome["winner"]["metrics"]["value_at_risk"]["value"])
    for crisis in result["crises"]:
        yield "time", percent(crisis["winner"], signed=True)
    yield "search", percent(luck["overfitting"], 0)
    yield "search", bps(luck["validate_advantage_bps"])
    yield "costs", f"The winner – {percent(train['geometric_return']['value'])} – "
    yield "costs", bps(luck["validate_advantage_bps"])
    for rule in result["benchmarks"]:
        yield "costs", number(rule["winner_minus_bps"]["value"], signed=True)
        yield "costs", percent(rule["validate_"]["metrics"]["max_drawdown"]["value"])
    yield "costs", percent(result["next_step"]["next_trade"], signed=True)
    yield "manifest", result["manifest"]["data_digest"]
    yield "manifest", percent(result["manifest"]["request"]["mandate"]["target_volatility"])


def _missing(texts: dict[str, str], answers: dict[str, Any]) -> list[tuple[str, str]]:
    expected = [(tab, re.sub(r"\s+", " ", text)) for tab, text in _expected(answers) if tab in texts]
    assert expected
    return [(tab, text) for tab, text in expected if text not in texts[tab]]


def _scaled(answer: Any) -> Any:
    """The answer with every fraction in it multiplied."""
    if isinstance(answer, dict):
        return {name: _scaled(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_scaled(value) for value in answer]
    return FACTOR * answer if isinstance(answer, float) else answer


def test_every_number_is_the_services_and_no_part_breaks_the_rules(browse, job, answers):
    visit = browse()
    texts: dict[str, str] = {}
    for tab in TABS:
        page = visit.open(f"/runs/{job}/results" + (f"?tab={tab}" if tab else ""))
        expect(page.get_by_role("link", name="Verdict")).to_be_visible()
        expect(page.get_by_role("status", name="Loading")).to_have_count(0)
        visit.check_accessibility()
        visit.check_reflow()
        texts[tab] = _main(page)
    assert not _missing(texts, answers)


def test_every_number_follows_a_changed_answer(browse, job, answers):
    visit = browse()
    changed = _scaled(answers["result"])
    visit.page.route("**/api/jobs/*/result", lambda route: route.fulfill(json=changed))
    texts: dict[str, str] = {}
    for tab in ("", "risk", "time", "search", "costs"):
        page = visit.open(f"/runs/{job}/results" + (f"?tab={tab}" if tab else ""))
        expect(page.get_by_role("link", name="Verdict")).to_be_visible()
        expect(page.get_by_role("status", name="Loading")).to_have_count(0)
        texts[tab] = _main(page)
    assert not _missing(texts, answers | {"result": changed})


def test_a_changed_figure_changes_the_page(browse, job, answers):
    visit = browse(theme="dark", size="phone")
    changed = {**answers["result"]["benefit"], "basis_points": {"value": 4321.4, "error": 1.0}}
    content = {**answers["result"], "benefit": changed}
    visit.page.route("**/api/jobs/*/result", lambda route: route.fulfill(json=content))
    page = visit.open(f"/runs/{job}/results")
    expect(page.get_by_label("Verdict", exact=True)).to_contain_text("+4,321 bps")
    expect(page.get_by_label("Verdict", exact=True)).to_contain_text(answers["explanation"]["headline"])
    visit.check_accessibility()
    visit.check_reflow()


@pytest.mark.parametrize("count", [2, 7])
def test_assets_have_their_weights_and_contributions(browse, job, answers, count):
    shares = [
        {
            "name": f"ASSET{n}",
            "average_weight": 0.05 + n / 100,
            "largest_weight": 0.3,
            "excess_return": 0.01 - n / 250,
            "volatility": 0.02 + n / 500,
            "traded": 0.5,
            "cost": 0.0001,
        }
        for n in range(count)
    ]
    whole = {"borrowing_return": -0.003, "borrowing_volatility": 0.0, "excess_return": 0.012, "volatility": 0.1}
    result = answers["result"] | {"attribution": whole | {"assets": shares, "weights": "0" * 64}}
    weights = answers["charts"]["weights"]
    held = [{"name": s["name"], "weights": [s["average_weight"]] * len(weights["dates"])} for s in shares]
    charts = answers["charts"] | {"weights": weights | {"assets": held}}
    visit = browse(theme="dark")
    visit.page.route("**/api/jobs/*/result", lambda route: route.fulfill(json=result))
    visit.page.route("**/charts?*", lambda route: route.fulfill(json=charts))
    page = visit.open(f"/runs/{job}/results?tab=time")
    most = shares[-1]
    held_most = page.get_by_role("figure", name=f"{most['name']} is held most")
    held_most.get_by_role("button", name="View as table").click()
    expect(held_most.get_by_role("table")).to_contain_text(percent(most["average_weight"]))
    adds = page.get_by_role("figure", name=f"{most['name']} adds most risk: {percent(most['volatility'], 2)} of 10.00%")
    adds.get_by_role("button", name="View as table").click()
    row = adds.get_by_role("row", name="ASSET0")
    expect(row).to_contain_text("+1.00%")
    expect(row).to_contain_text("+2.00%")
    expect(adds.get_by_role("row", name="Borrowing")).to_contain_text(percent(-0.003, 2, signed=True))
    visit.check_accessibility()
    visit.check_reflow()


def test_a_number_opens_its_computation_at_its_own_address(browse, job, answers):
    visit = browse()
    page = visit.open(f"/runs/{job}/results")
    figure = next(each for each in answers["explanation"]["figures"] if each["id"] == "benefit_bps")
    page.locator("[data-figure=benefit_bps]").first.click()
    dialog = page.get_by_role("dialog", name="How this number was computed")
    expect(dialog).to_contain_text(figure["text"])
    expect(dialog).to_contain_text("Basis points a year")
    expect(dialog).to_contain_text(f"{number(figure['error'])} bps, the typical distance")
    expect(dialog).to_contain_text(figure["computation"])
    field = dialog.get_by_text(figure["field"], exact=True)
    expect(field).to_be_hidden()
    dialog.get_by_text("For developers").focus()
    page.keyboard.press("Enter")
    expect(field).to_be_visible()
    expect(dialog.get_by_text(str(figure["value"]), exact=True)).to_be_visible()
    assert "fig=benefit_bps" in page.url
    visit.check_accessibility()
    page.reload()
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize("tab", ["search", "trials"])
def test_a_point_under_the_mouse_shows_the_numbers_of_its_own_trial(browse, job, answers, tab):
    page = browse().open(f"/runs/{job}/results?tab={tab}")
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)
    canvas, tooltip = page.locator("#figure-risk-return canvas"), page.locator("#figure-risk-return .chart-tooltip")
    canvas.scroll_into_view_if_needed()
    while len(marks := [each for each in canvas.evaluate(_MARKS) if each["size"] in ONE_SYMBOL]) < 5:
        page.wait_for_timeout(50)  # it is not drawn yet
    trials = {point["trial"]: point for point in answers["charts"]["risk_return"]["points"]}
    places: list[tuple[float, float, float, float]] = []
    shown, trial = "", {}
    for mark in marks:
        canvas.hover(position={"x": mark["x"], "y": mark["y"]})
        expect(tooltip).not_to_have_text(shown)
        shown = tooltip.inner_text()
        heading, *values = shown.split("\n")
        trial = trials[int(re.findall(r"\d+", heading)[0])]
        name = trial["weight_function"]
        assert heading.lower().endswith(SPELLED_OUT.get(name, name.replace("_", " ")))
        assert values[1::2] == [
            percent(trial["volatility"]),
            percent(trial["excess_return"]),
            percent(trial["drawdown"]),
            number(10_000 * trial["objective"], 0),
        ]
        places.append((trial["volatility"], trial["excess_return"], mark["x"], mark["y"]))
    volatility, excess_return, x, y = np.array(places).T
    for values, pixels in ((volatility, x), (excess_return, y)):
        scale = np.polynomial.Polynomial.fit(values, pixels, 1)
        assert np.abs(scale(values) - pixels).max() < MOST_PIXELS_OFF
    page.locator("#figure-risk-return").get_by_label(re.compile("Arrow keys")).press("Home")
    expect(tooltip).to_contain_text(f"Trial {answers['charts']['risk_return']['points'][0]['trial']}, ")
    canvas.click(position={"x": marks[-1]["x"], "y": marks[-1]["y"]})
    expect(page).to_have_url(re.compile(f"trial={trial['digest']}"))


def test_a_selection_in_the_address_filters_the_table_on_the_service(browse, service, job, answers):
    points = answers["charts"]["risk_return"]["points"]
    middle = sorted(point["volatility"] for point in points)[len(points) // 2]
    within = f"volatility:0.000000..{middle:.6f}"
    count = sum(point["volatility"] <= float(f"{middle:.6f}") for point in points)
    assert 0 < count < len(points)
    page = browse().open(f"/runs/{job}/results?tab=trials&brush={within}&sort=sharpe&sc=bear_market")
    expect(page.get_by_text(f"{count} of {len(points)} trials selected")).to_be_visible()
    expect(page.get_by_text(f"Page 1 of {-(-count // 25)}, {count} trials")).to_be_visible()
    query = {"sort": "sharpe", "order": "desc", "scenario": "bear_market", "within": within, "limit": 25}
    rows = httpx.get(f"{service}/api/jobs/{job}/trials", params=query, timeout=60.0).json()["items"]
    names = page.get_by_role("table", name="Trials").get_by_role("rowheader").all_inner_texts()
    assert [int(name.partition(":")[0]) for name in names] == [row["number"] for row in rows]
    page.get_by_role("button", name="Clear the selection").click()
    expect(page.get_by_text(f"{len(points)} trials; drag")).to_be_visible()
    assert "brush" not in page.url


def test_the_table_of_trials_says_which_limit_is_broken(browse, service, job):
    rows = httpx.get(f"{service}/api/jobs/{job}/trials?feasible=false&limit=1", timeout=60.0).json()["items"]
    assert rows[0]["breaches"] == ["volatility_error"]
    page = browse().open(f"/runs/{job}/results?tab=trials&fits=no")
    row = page.get_by_role("table", name="Trials").get_by_role("row").nth(1)
    expect(row).to_contain_text("broken: Distance from target volatility")


def test_no_number_is_shown_before_its_unit_is_known(browse, job):
    waiting: list[Route] = []
    visit = browse()

    def hold(route: Route) -> None:
        waiting.append(route)

    visit.page.route("**/api/catalogue", hold)
    page = visit.open(f"/runs/{job}/results")
    expect(page.get_by_role("heading", level=1, name="A small search")).to_be_visible()
    expect(page.get_by_role("status", name="Loading")).to_be_visible()
    expect(page.get_by_text("Sharpe", exact=False)).to_have_count(0)
    while not waiting:
        page.wait_for_timeout(50)
    for route in waiting:
        route.continue_()
    expect(page.get_by_label("Key figures").get_by_text("Sharpe ratio")).to_be_visible()
