import datetime as dt
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from api.cli.output.summary import rows
from api.export.formatting import benefit, benefit_parts, limit_row, sentence, shape
from api.export.report.charts import charts
from api.export.report.page import linked, render
from desk.base.text import number
from desk.figures.figures import RenderedClaim, format_figure
from desk.optimization.answers import Explanation
from desk.optimization.attribution_schemas import AssetStep
from desk.optimization.judgement.result_figures import simulated_timing
from desk.optimization.reading.explanation import HINDSIGHT, ONE_HISTORY
from desk.optimization.reading.history import History
from desk.optimization.result import LimitCheck, OptimizationResult, Verdict
from desk.scenarios.schemas import HISTORY
from quant.strategies.config import StrategyConfig
from quant.strategies.family import FAMILY, Grids
from quant.worlds.scenario import GBM_BANNER
from tests.sample_attribution import with_assets
from tests.sample_result import sample_result

MADE = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """What the tests ask of a page: balanced tags, ids, links, headings of tables."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.seen.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if id_ := attributes.get("id"):
            self.ids.append(id_)
        if tag == "a":
            self.links.append(attributes.get("href") or "")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words += data


def words_only(result: OptimizationResult) -> str:
    """The page without the charts, which take most of its time."""
    undrawn = {"trials": (), "years": (), "importance": {}}
    return render(result.model_copy(update=undrawn), run="abc", created_at=MADE)


@pytest.fixture(scope="module")
def page(result, history):
    return render(result, run="abc", created_at=MADE, history=History(*history))


def test_the_page_is_well_formed_and_its_links_resolve(page):
    parsed = Page(page)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)
    assert not [tag for tag, _ in parsed.seen if tag in ("script", "iframe", "object", "embed", "link", "img", "base")]


def test_the_page_loads_nothing_from_elsewhere(page):
    assert "http:" not in page
    assert "https:" not in page
    assert "//" not in re.sub(r"\s//\s", "", Page(page).words)
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", page)
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_the_sections_have_the_order_a_manager_reads(page):
    order = [tag["id"] for name, tag in Page(page).seen if name == "section"]
    assert order == [
        "verdict",
        "worlds",
        "explanation",
        "premium",
        "parameters",
        "next",
        "limits",
        "years",
        "search",
        "scenarios",
        "history",
        "luck",
        "matters",
        "benchmarks",
        "costs",
        "assumptions",
        "figures",
        "manifest",
    ]
    first = page[page.index('id="verdict"') :]
    parts = ("Verdict: Amber", "Do not switch yet", "luck is not excluded", ONE_HISTORY, "bps a year", "points")
    places = [first.index(text) for text in parts]
    assert places == sorted(places)


def test_every_chart_has_a_text_alternative(page):
    charts = [tag for name, tag in Page(page).seen if name == "svg"]
    assert len(charts) == 8
    for chart in charts:
        assert chart["role"] == "img"
        title, description = (chart["aria-labelledby"] or "").split()
        assert f'<title id="{title}">' in page
        assert f'<desc id="{description}">' in page


def test_tables_have_headings(page):
    parsed = Page(page)
    heads = [tag.get("scope") for name, tag in parsed.seen if name == "th"]
    assert set(heads) == {"col", "row"}
    tables = sum(name == "table" for name, _ in parsed.seen)
    assert tables == sum(name == "caption" for name, _ in parsed.seen)
    assert {"header", "main", "nav", "footer"} <= {name for name, _ in parsed.seen}


def test_hostile_text_stays_text(history):
    hostile = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }}'
    result = sample_result(
        verdict=Verdict(colour="amber", headline=hostile, reason=hostile),
        caveats=(hostile,),
        explanation=Explanation(
            claims=(RenderedClaim(section="why", text=hostile, figures=("benefit_bps",), template=hostile),),
            author=hostile,
        ),
    )
    request = result.manifest.request.model_copy(update={"name": hostile, "universe": hostile})
    manifest = result.manifest.model_copy(update={"request": request, "data_source": hostile})
    page = render(
        result.model_copy(update={"manifest": manifest}),
        run=hostile,
        created_at=MADE,
        history=History(*history),
    )
    parsed = Page(page)
    assert not [tag for tag, _ in parsed.seen if tag in ("script", "img")]
    assert not [name for _, tag in parsed.seen for name in tag if name.startswith("on")]
    assert hostile in parsed.words


def test_a_number_in_the_text_leads_to_its_computation(page, result):
    figure = result.figures[0]
    assert f'href="#figure-{figure.id}"' in page
    assert f'<tr id="figure-{figure.id}">' in page
    assert figure.source in page


def test_every_number_of_a_claim_is_linked(result):
    figures = {figure.id: figure for figure in result.figures}
    for claim in result.explanation.claims:
        without = re.sub(r"<a .*?</a>", "", linked(claim, figures))
        assert not re.search(r"\d", without)
        for id_ in claim.figures:
            assert format_figure(figures[id_]) in linked(claim, figures)


def test_figures_that_read_the_same_lead_each_to_its_own_computation(result):
    alike = {"value": 3, "unit": "count", "error": None}
    named = [figure.model_copy(update={"id": f"same_{n}", **alike}) for n, figure in enumerate(result.figures)]
    template = "Of {{same_1}} there are {{same_0}} & more."
    claim = RenderedClaim(
        section="why", text="Of 3 there are 3 & more.", figures=("same_1", "same_0"), template=template
    )
    markup = str(linked(claim, {figure.id: figure for figure in named}))
    assert re.findall(r'href="#figure-(\w+)"', markup) == ["same_1", "same_0"]
    assert markup.endswith("</a> &amp; more.")


def test_a_figure_shows_its_exact_value_error_field_and_tool(result):
    hostile = '"><script>x</script>'
    figures = (
        result.figures[0].model_copy(update={"value": 38.123456, "error": 6.0}),
        result.figures[1].model_copy(update={"quantity": hostile, "source": f"assess_risk.{hostile}"}),
    )
    claim = RenderedClaim(
        section="why", text=format_figure(figures[1]), figures=("bear_benefit",), template="{{bear_benefit}}"
    )
    explained = Explanation(claims=(claim,), author="test")
    page = words_only(sample_result(figures=figures, explanation=explained))
    assert "<td>38.1235</td><td>bps</td><td>6</td>" in page
    assert "<code>benefit.basis_points</code>" in page
    assert "<code>assess_risk</code>" in page
    assert hostile not in page
    assert hostile in Page(page).words


def test_only_the_time_differs_between_two_renderings(result, history, page):
    later = render(result, run="abc", created_at=MADE + dt.timedelta(days=1), history=History(*history))
    assert later.replace("2026-01-03", "2026-01-02") == page


def test_the_next_trade_names_both_legs(result):
    bond = AssetStep(name="AGG", today_weight=0.29, current_rule_weight=0.17, next_trade=0.12)
    request = result.manifest.request.model_copy(update={"safe": "AGG"})
    both = result.model_copy(
        update={
            "manifest": result.manifest.model_copy(update={"request": request}),
            "next_step": result.next_step.model_copy(update={"safe": bond}),
        }
    )
    words = Page(words_only(both)).words
    assert re.search(r"Trade in AGG\s*\+12\.0% of wealth", words)
    assert "Correlation of the legs" in words
    assert "AGG: 29.0%, current rule 17.0%: +12.0% of wealth" in [line for _, line in rows(both)]
    alone = Page(words_only(result)).words
    assert "AGG" not in alone
    assert "Correlation of the legs" not in alone


def test_an_infeasible_result_is_as_prominent_as_a_winner(infeasible):
    page = render(infeasible, run="abc", created_at=MADE)
    parsed = Page(page)
    assert parsed.open == []
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)
    verdict = page[page.index('id="verdict"') : page.index("</section>")]
    assert '<span class="big">0 <small>of 100 tried' in verdict
    assert "Verdict: Infeasible · Maximum drawdown binds" in verdict
    assert '<p class="headline">No strategy meets the limits' in verdict
    assert ONE_HISTORY in verdict


@pytest.mark.parametrize("colour", ["green", "amber", "red"])
def test_the_colour_is_also_a_word_and_a_sign(colour):
    verdict = Verdict(colour=colour, headline="h", reason="r")
    page = words_only(sample_result(verdict=verdict, history_series=None))
    assert f'class="verdict {colour}"' in page
    assert f"Verdict: {colour.capitalize()}" in page
    assert ONE_HISTORY in page[: page.index("</section>")]


def test_constant_volatility_carries_its_banner():
    result = sample_result()
    scenarios = tuple(s.model_copy(update={"engine": "gbm"}) for s in result.manifest.request.scenarios)
    request = result.manifest.request.model_copy(update={"scenarios": scenarios})
    page = words_only(result.model_copy(update={"manifest": result.manifest.model_copy(update={"request": request})}))
    assert GBM_BANNER in page[: page.index("</section>")]


def test_the_drawdown_is_that_of_wealth_with_cash():
    flat = np.zeros(4)
    excess = np.array([0.1, -0.5, 0.0, 1.5])
    history = History(excess, flat, flat, flat, flat, flat, flat)
    assert history.drawdown(excess) == pytest.approx([0.0, 0.5, 0.5, 0.0])
    losing = np.array([-0.2, 0.0, 0.0, 0.0])
    assert history.drawdown(losing) == pytest.approx([0.2] * 4)


def test_the_first_page_says_what_timing_earns_without_the_history_that_was_searched(page, result):
    simulated = simulated_timing(result)
    assert simulated is not None
    assert f"timing in the simulated scenarios alone {number(simulated.value, signed=True)} bps" in page
    weights = {s.scenario: s.weight for s in result.scenarios}
    total = simulated.value * (1 - weights["history"]) + sum(
        s.weight * s.timing_bps.value for s in result.scenarios if s.scenario == "history"
    )
    assert total == pytest.approx(sum(s.weight * s.timing_bps.value for s in result.scenarios))
    assert "In words" not in page[: page.index("timing in the simulated scenarios alone")]


def words_of(text: str) -> str:
    return " ".join(Page(text).words.split())


def test_the_first_page_shows_each_world_beside_its_name(page, result) -> None:
    section = page[page.index('<section id="worlds">') : page.index('aria-label="The strategy"')]
    assert (
        "calibrated to the volatility of the training days, 18.0% a year; mean return of the base case 8.0%" in section
    )
    bear = section[section.index("Bear market") :].split("</tr>")[0]
    for cell in ("−5.0%", "35.0%", "−0.17", "−10.5%", "−35.0%"):  # the mean, ..., a worst day and month of the sample
        assert f"<td>{cell}</td>" in bear
    lines = dict(list(rows(result))[[label for label, _ in rows(result)].index("Worlds") :][:1])
    assert "18.0% a year" in lines["Worlds"]
    bear_line = next(line for _, line in rows(result) if line.startswith("Bear market: mean"))
    assert bear_line == (
        "Bear market: mean −5.0%, volatility 35.0%, Sharpe ratio −0.17, worst day −10.5%, worst month −35.0%"
    )


def test_the_benefit_on_history_and_in_the_worlds_stand_apart(page, result) -> None:
    weight = next(outcome.weight for outcome in result.scenarios if outcome.scenario == HISTORY)
    mean = weight * result.benefit.history_bps.value + (1 - weight) * result.benefit.worlds_bps.value
    text = (
        f"the average of +44 bps ± 70 on the training history, which counts {weight:.0%}, and +35 bps ± 9 in the "
        "simulated worlds (± one standard error)"
    )
    assert mean == pytest.approx(result.benefit.basis_points.value, abs=0.5)
    assert text in [line for _, line in rows(result)]
    assert text in page[: page.index('<section id="worlds">')]
    older = result.model_copy(
        update={"benefit": result.benefit.model_copy(update={"history_bps": None, "worlds_bps": None}), "worlds": ()}
    )
    older_page = words_only(older)
    assert "the average of" not in older_page
    assert 'id="worlds"' not in older_page
    assert not any(label == "Worlds" for label, _ in rows(older))


def test_the_evidence_on_unused_days_stands_with_the_tests_for_luck(page, result) -> None:
    words = words_of(page)
    cv, wf = result.out_of_sample.cross_validation, result.out_of_sample.walk_forward
    begin, end = words.index("On days that the choice did not use"), words.index("What matters, and what came close")
    section = words[begin:end]
    advantage = cv.advantage_bps
    for value in (advantage.low, advantage.lower_quartile, advantage.median, advantage.upper_quartile, advantage.high):
        assert number(value, signed=True) in section
    assert f"{cv.purge} days on both sides of a test are purged" in section
    assert f"{number(wf.advantage_bps.value, signed=True)} ± {number(wf.advantage_bps.error)} bps a year" in section
    assert f"The choice changed {wf.changes} times in {len(wf.choices)}." in section
    assert all(str(choice.year) in section for choice in wf.choices)


def test_the_report_shows_what_parameters_do_together_and_at_each_value(page, result) -> None:
    words = words_of(page)
    section = words[words.index("What matters, and what came close") : words.index("Finalists, scored again")]
    assert "Rebalancing with estimator8.3%" in section
    for curve in result.parameter_effects.dependence:
        for point in curve.points:
            assert f"{number(point.objective * 10_000)}{number(point.low * 10_000)} to" in section


def test_a_result_without_the_evidence_has_a_report_and_a_summary(result) -> None:
    older = result.model_copy(update={"out_of_sample": None, "parameter_effects": None})
    words = words_of(words_only(older))
    assert "On days that the choice did not use" not in words
    assert "Parameters that act together" not in words
    assert {"Out of sample", "Matters"}.isdisjoint(heading for heading, _ in rows(older))


def test_a_history_too_short_for_the_evidence_says_so(result) -> None:
    nothing = result.out_of_sample.model_copy(update={"cross_validation": None, "walk_forward": None})
    words = words_of(words_only(result.model_copy(update={"out_of_sample": nothing})))
    assert "The history is too short for purged cross-validation" in words
    assert "there is no walk-forward test" in words


def test_the_terminal_shows_the_evidence_in_two_lines(result) -> None:
    lines = list(rows(result))
    first = next(n for n, (heading, _) in enumerate(lines) if heading == "Out of sample")
    assert lines[first][1] == (
        "Purged cross-validation, 9 paths: median +12 bps over the constant weight, 33% of them below 0"
    )
    assert lines[first + 1][1] == "Walk-forward, 22.4 years: +17 bps ± 59; the choice changed 11 times in 23"
    assert lines[first + 2][0] == "Matters"


def test_the_terminal_states_what_the_interval_holds(result):
    parts = " ".join(benefit_parts(result))
    assert "as if the winner had been the only configuration ever tried, which it was not" in parts
    assert "of it; by timing in the simulated worlds alone" in parts
    older = result.benefit.model_copy(update={"history_error_bps": None})
    assert "Monte Carlo error only" in " ".join(benefit_parts(result.model_copy(update={"benefit": older})))


def test_the_benefit_is_that_over_the_constant_weight_and_over_the_current_rule(result):
    text = benefit(result)
    assert "which has the same volatility" in text
    assert f"95% interval {number(result.benefit.low, signed=True)} to" in text
    [rule] = [each for each in result.benchmarks if each.name == "current_rule"]
    gain = rule.winner_minus_bps.value
    side = "behind" if gain < 0 else "ahead of"
    assert f"{number(abs(gain))} bps a year {side} your current rule" in text


def test_the_benefit_of_a_red_verdict_is_small_and_says_what_it_is(result):
    red = result.model_copy(update={"verdict": result.verdict.model_copy(update={"colour": "red"})})
    assert benefit(red).startswith(HINDSIGHT)
    assert "interval" not in benefit(red), "the interval of a selected figure reads as a proof"
    assert not benefit(result).startswith(HINDSIGHT)
    page = words_only(red)
    assert HINDSIGHT in page
    assert '<dl class="answer insample">' in page
    assert '<dl class="answer insample">' not in words_only(result)


def test_a_strict_bound_is_not_rounded_to_nothing(result):
    check = LimitCheck(
        limit="max_drawdown", scenario="base_case", statistic=1.0, allowed=0.2, bound=0.001, passed=False, binds=True
    )
    assert limit_row(check)[3] == "at most 20% beyond 0.1%"


@pytest.mark.parametrize(("rebalancing", "text"), [("daily", "daily"), ("weekly", "weekly (every 5 sessions)")])
def test_rebalancing_frequencies_read_as_words(result, rebalancing, text):
    config = result.winner.config.model_copy(update={"rebalancing": rebalancing})
    assert dict(shape(config))["Rebalancing"] == text


@pytest.mark.parametrize("function", FAMILY)
def test_every_parameter_of_a_weight_function_has_a_row(function):
    row = FAMILY[function]
    values = {name: (getattr(Grids(), name) if name in Grids.model_fields else (0.5,))[0] for name in row.parameters}
    length = {"lookback_days": 63} if row.volatility else {}
    config = StrategyConfig.model_validate({"weight_function": function} | length | values)
    rows = dict(shape(config))
    for name, value in values.items():
        assert rows[name.replace("_", " ").capitalize()] == (value if isinstance(value, str) else f"{value:g}")
    assert ("Estimator" in rows) == row.volatility


def test_an_estimator_without_length_is_named_in_the_report():
    config = StrategyConfig(weight_function="feedback", estimator="garch", gain=2.0)
    assert dict(shape(config))["Estimator"] == "garch"
    assert sentence(config) == "Volatility feedback, garch, monthly (every 21 sessions), gain 2"


@pytest.fixture(scope="module")
def several(result) -> OptimizationResult:
    return with_assets(result)


def test_a_result_on_several_assets_names_each_of_them(several, history):
    weights = np.tile([[0.25], [0.2], [0.1]], history.shape[1])
    drawn = History(*history, asset_weights=weights)
    text = render(several, run="abc", created_at=MADE, history=drawn)
    parsed = Page(text)
    assert parsed.open == []
    assert {link.removeprefix("#") for link in parsed.links} <= set(parsed.ids)
    assert "assets" in parsed.ids
    section = text[text.index('<section id="assets">') : text.index('<section id="luck">')]
    for share in several.attribution.assets:
        assert share.name in section
        assert share.name in text[text.index('<section id="next">') : text.index('<section id="limits">')]
    assert "On average XOM 22%, JNJ 21%, AAPL 20% of wealth." in section
    assert "−0.10% of it is the cost of borrowing" in section
    assert text == render(several, run="abc", created_at=MADE, history=drawn)


def test_the_terminal_names_each_asset(several, result):
    lines = list(rows(several))
    assert ("", "JNJ: 30.0%, current rule 25.0%: +5.0% of wealth") in lines
    by_asset = lines[[heading for heading, _ in lines].index("By asset")][1]
    assert by_asset == (
        "AAPL: average weight 20.0%, at most 34.0%; adds +1.20% to return over cash, +3.00% to volatility; traded 1.30 "
        "times wealth a year, cost 7 bps"
    )
    assert "By asset" not in [heading for heading, _ in rows(result)]


def test_small_assets_share_an_area_of_the_chart(several, history):
    names = ("A", "B", "C", "D", "E")
    shares = tuple(several.attribution.assets[0].model_copy(update={"name": name}) for name in names)
    many = several.model_copy(update={"attribution": several.attribution.model_copy(update={"assets": shares})})
    drawn = charts(many, History(*history, asset_weights=np.full((5, history.shape[1]), 0.1)))["asset_weights"]
    assert all(f">{name}<" in drawn.svg for name in ("A", "B", "C", "2 others"))
    assert ">D<" not in drawn.svg
