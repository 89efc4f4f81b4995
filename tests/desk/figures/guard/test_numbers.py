import ast
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agents.embedded_planner
import desk.optimization.reading.template
from desk.figures.figures import Figure, format_figure
from desk.figures.guard.claims import REFERENCE
from desk.figures.guard.numbers import Number, find_numbers, find_unexplained

BENEFIT = Figure(id="benefit", quantity="benefit", value=37.2, unit="bps", error=9.1, source="r")
WEIGHT = Figure(id="weight", quantity="average weight", value=0.12, unit="weight", source="r")
TRIALS = Figure(id="trials", quantity="configurations tried", value=100, unit="count", source="r")
MONTHS = Figure(id="months", quantity="months of the lookback", value=12, unit="count", source="r")
SHARPE = Figure(id="sharpe", quantity="Sharpe ratio", value=0.55, unit="ratio", source="r")
YEAR = Figure(id="year", quantity="worst calendar year", value="2008", unit="date", source="r")
NAME = Figure(id="name", quantity="winner", value="inverse volatility on 252-day volatility", unit="text", source="r")
SUM = Figure(id="sum", quantity="wealth", value=-2500000, unit="money", currency="EUR", source="r")
LOSS = Figure(id="loss", quantity="return", value=-0.034, unit="percent", source="r")
RARE = Figure(id="rare", quantity="probability", value=0.001, unit="probability", source="r")
REFERRING = sorted(
    text
    for module in (desk.optimization.reading.template, agents.embedded_planner)
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")))
    if isinstance(node, ast.Constant) and isinstance(text := node.value, str) and REFERENCE.search(text)
)
FIGURES = (BENEFIT, WEIGHT, TRIALS, MONTHS, SHARPE, YEAR, NAME, LOSS, RARE, SUM)


def the(text: str) -> Number:
    [number] = find_numbers(text)
    return number


@pytest.mark.parametrize(
    ("text", "value", "unit", "currency"),
    [
        ("12", 12, "plain", None),
        ("1,234.5", 1234.5, "plain", None),
        ("1.234,5", 1234.5, "plain", None),
        ("1 234 567", 1_234_567, "plain", None),
        ("1'234'567", 1_234_567, "plain", None),
        ("12,34,567", 1_234_567, "plain", None),
        ("0,5", 0.5, "plain", None),
        (".5", 0.5, "plain", None),
        ("-3", -3, "plain", None),
        ("−3", -3, "plain", None),
        ("minus three", -3, "plain", None),
        ("(3.5)", -3.5, "plain", None),
        ("($3.5m)", -3.5e6, "currency", "USD"),
        ("12%", 12, "percent", None),
        ("12 per cent", 12, "percent", None),
        ("12 pct", 12, "percent", None),
        ("12 percentage points", 12, "points", None),
        ("12 bps", 12, "bps", None),
        ("12 basis points", 12, "bps", None),
        ("12bips", 12, "bps", None),
        ("5‰", 5, "permille", None),
        ("€5", 5, "currency", "EUR"),
        ("5 €", 5, "currency", "EUR"),
        ("-$5", -5, "currency", "USD"),
        ("USD 5bn", 5e9, "currency", "USD"),
        ("CHF 5k", 5e3, "currency", "CHF"),
        ("£5 million", 5e6, "currency", "GBP"),
        ("5 thousand euros", 5e3, "currency", "EUR"),
        ("1.5x", 1.5, "multiple", None),
        ("3 times", 3, "multiple", None),
        ("double", 2, "multiple", None),
        ("tripled", 3, "multiple", None),
        ("twice", 2, "multiple", None),
        ("halved", 0.5, "multiple", None),
        ("half", 0.5, "plain", None),
        ("a third", 1 / 3, "plain", None),
        ("two thirds", 2 / 3, "plain", None),
        ("three-quarters", 0.75, "plain", None),
        ("a quarter of", 0.25, "plain", None),
        ("a dozen", 12, "plain", None),
        ("a couple of years", 2, "years", None),
        ("twelve", 12, "plain", None),
        ("twenty-one percent", 21, "percent", None),
        ("one hundred and five", 105, "plain", None),
        ("two thousand and twenty-six", 2026, "plain", None),
        ("a million", 1e6, "plain", None),
        ("three point one four", 3.14, "plain", None),
        ("one and a half", 1.5, "plain", None),
        ("half a million euros", 5e5, "currency", "EUR"),
        ("twenty-first", 21, "ordinal", None),
        ("the fifth", 5, "ordinal", None),
        ("3rd", 3, "ordinal", None),
        ("1/2", 0.5, "plain", None),
        ("1 1/2", 1.5, "plain", None),
        ("½", 0.5, "plain", None),
        ("1½", 1.5, "plain", None),
        ("⅔", 2 / 3, "plain", None),
        ("1.2e-3", 0.0012, "plain", None),
        ("1.2 × 10³", 1200, "plain", None),
        ("10²", 100, "plain", None),
        ("two decades", 2, "decades", None),
        ("12-month", 12, "months", None),
        ("10y", 10, "years", None),
        ("60 days", 60, "days", None),
        ("2022-03-01", None, "date", None),
        ("March 2020", None, "date", None),
        ("1 March 2020", None, "date", None),
        ("March 12, 2020", None, "date", None),
        ("Q3", None, "date", None),
        ("Q3 2022", None, "date", None),
        ("2022", None, "date", None),
        ("1990s", None, "date", None),
        ("2022 bps", 2022, "bps", None),
        ("XII", 12, "plain", None),
        ("iii", 3, "plain", None),
        ("XL%", 40, "percent", None),
        ("Ⅻ", 12, "plain", None),
        ("٣٧", 37, "plain", None),
        ("३७%", 37, "percent", None),
        ("３７％", 37, "percent", None),
        ("𝟑𝟕", 37, "plain", None),
        ("⑫", 12, "plain", None),
        ("十二", 12, "plain", None),
        ("三百二十一", 321, "plain", None),
        ("1O%", 10, "percent", None),
        ("l2%", 12, "percent", None),
        ("IO bps", 10, "bps", None),
        ("tw\u200belve", 12, "plain", None),
        ("1\u00ad2%", 12, "percent", None),
        ("1\u03362\u0336", 12, "plain", None),
        ("twеlvе", 12, "plain", None),  # Cyrillic
        ("ｔｗｅｌｖｅ", 12, "plain", None),
        ("𝓽𝔀𝓮𝓵𝓿𝓮", 12, "plain", None),
        ("ᴛᴡᴇʟᴠᴇ", 12, "plain", None),
        ("zwölf", 12, "plain", None),
        ("fünfundzwanzig Prozent", 25, "percent", None),
        ("douze pour cent", 12, "percent", None),
        ("once por ciento", 11, "percent", None),
        ("treinta y cinco", 35, "plain", None),
        ("ventuno", 21, "plain", None),
        ("due per cento", 2, "percent", None),
    ],
)
def test_a_number_is_read_with_its_unit(text: str, value: float | None, unit: str, currency: str | None) -> None:
    number = the(text)
    assert (number.value, number.unit, number.currency) == (
        value if value is None else pytest.approx(value),
        unit,
        currency,
    )
    assert number.text == text[number.start : number.end]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("3-5%", [(3, "percent"), (5, "percent")]),
        ("3–5 bps", [(3, "bps"), (5, "bps")]),
        ("from 3 to 5 percent", [(3, "percent"), (5, "percent")]),
        ("between three and five percent", [(3, "percent"), (5, "percent")]),
        ("€3-5m", [(3, "currency"), (5e6, "currency")]),
        ("one in four", [(1, "plain"), (4, "plain")]),
        ("3 of 10", [(3, "plain"), (10, "plain")]),
        ("1 12%", [(1, "plain"), (12, "percent")]),
    ],
)
def test_ranges_and_pairs_are_two_numbers(text: str, ends: list[tuple[float, str]]) -> None:
    assert [(number.value, number.unit) for number in find_numbers(text)] == ends


@pytest.mark.parametrize(
    "hidden",
    [
        "t w e l v e",
        "t-w-e-l-v-e",
        "t.w.e.l.v.e",
        "tw elve",
        "twel-ve",
        "tw*el*ve",
        "<b>twel</b>ve",
        "tw3lve",
        "f1ve",
        "f!ve",
        "$even",
        "t€n percent",
        "tvvelve",
        "twelv",
        "tweIve",
        "twwwelve",
        "rnillion",
        "miIIion",
        "xtwelvex",
        "twelvepercent",
        "fivefold",
        "tenish",
        "🔟",
        "🅣🅦🅔🅛🅥🅔",
        "🇹🇼🇪🇱🇻🇪",
        "⚅",
        "1️⃣",
        "O%",
        "X%",
        "1,2,3",
        "1.2.3",
        "0x1F",
        "&#49;",
        "v2x",
        "mid-teens",
        "double-digit",
        "low single digits",
        "a few percent",
        "several basis points",
        "fifty-fifty",
        "once a decade",
        "the extra one percent",
        "the mere one in five",
        "dos puntos",
        "umpteenth",
        "a full percentage point",
        "an order of magnitude",
        "1\u20e3",
        "sеvеn",  # Cyrillic
        "twe\nlve",
        "lO0 bps",
        "ranked first",
        "a pair of",
        "top decile",
        "beta of unity",
        "zwei Drittel",
        "vierundachtzig",
        "dreihundert",
        "quatre-vingt-dix",
        "la moitié",
        "la mitad",
        "il doppio",
        "doze por cento",
        "twaalf",
        "百分之十二",
        "一",
        "১২",
        "௧௨",
        "𐒠",
        "〹",
        "hundreds",
        "dozens",
        "gazillion",
        "a decade",
        "one percent",
        "one basis point",
        "only one",
        "one trial",
        "a ratio of one",
        "zero",
        "nil",
        "nineties",
        "umpteen",
        "\u202eevlewt\u202c",
    ],
)
def test_disguised_numbers_are_reported(hidden: str) -> None:
    assert find_unexplained(f"The winner earned {hidden}, they say.", FIGURES)


@pytest.mark.parametrize("word", ["двенадцать", "δώδεκα", "اثنا عشر", "बारह", "じゅうに", "열둘", "שתים"])
def test_unreadable_letters_may_be_a_number(word: str) -> None:
    assert [number.unit for number in find_unexplained(f"It earned {word} more.", FIGURES)] == ["unread"] * len(
        word.split()
    )
    assert find_unexplained(f"It earned {word} more.", FIGURES, [word]) == () or not word


@pytest.mark.parametrize(
    "text",
    [
        "No one knows, and once more one another is at once on the one hand and on the other.",
        "In the first place, do not second-guess a third party; a second opinion helps.",
        "One of the reasons is plain; the one that matters is cost.",
        "S&P, AAPL, JNJ, XOM, XLV, MMM, CD and DIM may rise in May, and a mix will do.",
        "First, it costs. Second, it lags. Third, it may be luck.",
        "The first of these concerns is the weight, the height and the freight of bullion and so forth.",
        "Rebalanced monthly, weekly, daily or quarterly, each quarter it sells once the price falls.",
        "A calmer one would do, and the riskier one would not; which one wins is one question, not two-sided.",
        "It's even, somewhat often, and the tense tenor of attention stands alone, done and gone.",
        "Double-check the double-edged half-life of a half-hearted zero-sum idea; think twice.",
        "β, σ and α are symbols; Société Générale and Müller are names.",
        "We often do so; the network, the tenant, the phone and the stone are none of it.",
        "Its interest is listened to; the seventies' cousin is not here.".replace("seventies'", "sentry's"),
        "Once a drawdown begins, it holds less; once in a drawdown, it waits.",
        "The i and the x are letters; e.g. this, i.e. that, a.k.a. it.",
        "The best one wins, one way or another, and for once the pound fell.",
        "Measured in basis points, it is small; in percent, too; nobody won or knows a tone.",
        "Between the two, the choice is clear.",
        "A single scenario decides; every single one of the others agrees.",
        "",
    ],
)
def test_plain_english_is_no_number(text: str) -> None:
    assert find_unexplained(text, FIGURES) == ()


@pytest.mark.parametrize(
    "text",
    [
        "The benefit is 37 bps a year, plus or minus 9.",
        "The benefit (37 bps a year, plus or minus 9) is small.",
        "It held 12%; “12%” is its weight, 12%'s no surprise.",
        "Of 100 trials, most failed.",
        "Over 12 months it held 12%.",
        "Its Sharpe ratio of 0.55, in 2008: fine.",
        "In 2008's crash, inverse volatility on 252-day volatility lost −3.4%.",
        "The probability is below 1%.",
        "It ends at EUR −2,500,000; then it stops.",
        "The S&P 500 fell in March 2020, by the 12-month rule, against 60/40.",
        "From 2022 on, the s&p 500 rose.",
    ],
)
def test_figures_and_permitted_names_are_explained(text: str) -> None:
    assert find_unexplained(text, FIGURES, ["S&P 500", "March 2020", "12-month rule", "2022", "60/40"]) == ()


@pytest.mark.parametrize(
    "text",
    [
        "112%",
        "12.5%",
        "1 12%",
        "12 bps",
        "-12%",
        "−12%",
        "minus 12%",
        "12% points",
        "12‰",
        "12%²",
        "1\u200b2%",
        "１２%",
        "12 %",
        "12 percent",
        "$12%",
        "12%1",
        "37 bps a year, plus or minus 99",
        "37 bps a year, plus or minus 9.5",
        "37 bps a year",
        "37 bps",
        "137 bps a year, plus or minus 9",
        "100%",
        "100 bps",
        "100 days",
        "100k",
        "100 million",
        "EUR 100",
        "100x",
        "1,100",
        "100,000",
        "100.5",
        "100/3",
        "12 years",
        "12 days",
        "0.55%",
        "0.55x",
        "10.55",
        "0.551",
        "-0.55",
        "3.4%",
        "1%",
        "above 1%",
        "2008 bps",
        "2008 paths",
        "12008",
        "May 2008",
        "252-day",
        "2,500,000",
        "EUR 2,500,000",
        "USD −2,500,000",
        "EUR −2,500,000k",
        "EUR −2,500",
        "2009",
        "double 12%",
        "12% and 13%",
        "12%-13%",
        "500",
        "60/41",
        "12 of 100 in 7",
    ],
)
def test_a_figure_explains_nothing_but_itself(text: str) -> None:
    assert find_unexplained(f"The winner made {text} of it.", FIGURES)


@pytest.mark.parametrize(
    "permitted", ["12%", "12", "twelve", "12 bps", "12 months", "EUR 5m", "a dozen", "from 3 to 5%"]
)
def test_a_number_is_never_a_permitted_name(permitted: str) -> None:
    assert find_unexplained(f"It earned {permitted} more.", (), [permitted])


def test_a_permitted_year_is_a_date_and_no_count() -> None:
    assert find_unexplained("In 2022 it fell.", (), ["2022"]) == ()
    for text in ("2022 bps", "2022 trials", "EUR 2022", "2,022", "2022%", "March 2022", "2022.5"):
        assert find_unexplained(f"It made {text} then.", (), ["2022"])


@pytest.mark.parametrize("figure", [figure for figure in FIGURES if figure is not YEAR])
@pytest.mark.parametrize("template", REFERRING)
def test_numbers_in_rendered_text_are_explained(template: str, figure: Figure) -> None:
    """Sentences of the template and of the embedded planner, with any figures."""
    assert find_unexplained(REFERENCE.sub(lambda _: format_figure(figure), template), [figure]) == ()


_SCRIPTS = st.deferred(
    lambda: st.sampled_from([chr(c) for c in range(0x110000) if unicodedata.decimal(chr(c), None) == 0])
)
_BETWEEN = ("", "\u200b", "\u00ad", ",", ".", "'", " ", "\u00a0", "\u2009", "_", "\u0336", "\u2060")


@settings(max_examples=100, deadline=None)
@given(
    number=st.integers(0, 10**9),
    script=_SCRIPTS,
    between=st.sampled_from(_BETWEEN),
    before=st.sampled_from(["", "x", "-", "$", "(", "of "]),
    after=st.sampled_from(["", "%", " bps", "k", ")", " more", "th"]),
)
def test_digits_of_every_script_are_found(number: int, script: str, between: str, before: str, after: str) -> None:
    digits = between.join(chr(ord(script) + int(digit)) for digit in str(number))
    text = f"It earned {before}{digits}{after}."
    actual = find_unexplained(text, ())
    for place, character in enumerate(text):
        if unicodedata.decimal(character, None) is not None:
            assert any(each.start <= place < each.end for each in actual)


@pytest.mark.parametrize("plane", range(0x20))
def test_every_character_that_is_a_numeral_is_found(plane: int) -> None:
    numerals = [
        chr(c) for c in range(plane * 0x1000, (plane + 1) * 0x1000) if unicodedata.numeric(chr(c), None) is not None
    ]
    unreported = [numeral for numeral in numerals if not find_unexplained(f"It earned {numeral} more.", ())]
    assert unreported == []


_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_ONES += "seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def spell(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _TENS[number // 10 - 2] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            head, rest = divmod(number, size)
            return f"{spell(head)} {name}" + (f"{' and' if rest < 100 else ''} {spell(rest)}" if rest else "")
    raise AssertionError(number)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**11), st.sampled_from([str, str.upper, str.title]))
def test_every_integer_in_words_is_read(number: int, render) -> None:
    actual = the(f"It earned {render(spell(number))} percent more.")
    assert (actual.value, actual.unit) == (pytest.approx(number), "percent")


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 999), st.sampled_from(["\u200b", "\u00ad", "\u0301", "\u2060"]), st.integers(0, 40))
def test_every_integer_in_disguised_words_is_found(number: int, hidden: str, place: int) -> None:
    word = spell(number)
    place %= len(word)
    assert find_unexplained(f"It earned {word[:place]}{hidden}{word[place:]} more.", ())


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 999), st.sampled_from([" ", "-", ".", "*", " - "]))
def test_every_integer_with_its_letters_set_apart_is_found(number: int, between: str) -> None:
    assert find_unexplained(f"It earned {between.join(spell(number).replace('-', '').replace(' ', ''))} more.", ())


_UNITS = ("percent", "bps", "points", "years", "days", "ratio", "weight", "count", "probability", "money")
_VALUES = st.floats(-50, 50).map(lambda value: round(value, 3))
_DRAWN = st.builds(
    lambda value, unit, error: Figure(
        id="f",
        quantity="q",
        value=value * (1e6 if unit == "money" else 1.0),
        unit=unit,
        currency="EUR" if unit == "money" else None,
        error=error,
        source="s",
    ),
    _VALUES,
    st.sampled_from(_UNITS),
    st.none() | st.floats(0, 5),
)


@settings(max_examples=100, deadline=None)
@given(_DRAWN, _DRAWN)
def test_every_figure_explains_itself_and_no_other_value(figure: Figure, other: Figure) -> None:
    for text in (
        f"It made {format_figure(figure)}.",
        f"It ({format_figure(figure)}) is",
        f"{format_figure(figure)}, or so",
        f"{format_figure(figure)}'s",
    ):
        assert find_unexplained(text, [figure]) == ()
    if format_figure(other) != format_figure(figure):
        assert find_unexplained(f"It made {format_figure(other)} then.", [figure])


@settings(max_examples=100, deadline=None)
@given(_DRAWN, st.integers(0, 9), st.data())
def test_a_changed_digit_is_found(figure: Figure, digit: int, data: st.DataObject) -> None:
    text = format_figure(figure)
    places = [place for place, character in enumerate(text) if character.isdigit()]
    place = data.draw(st.sampled_from(places))
    changed = f"{text[:place]}{digit}{text[place + 1 :]}"
    longer = f"{text[:place]}{digit}{text[place:]}"
    for each in {changed, longer} - {text}:
        assert find_unexplained(f"It made {each} then.", [figure])


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_parsed_and_keeps_no_digit(text: str) -> None:
    actual = find_numbers(text)
    assert all(each.text == text[each.start : each.end] != "" for each in actual)
    for first, second in pairwise(actual):
        assert first.end <= second.start or "unread" in {first.unit, second.unit}
    for place, character in enumerate(text):
        if unicodedata.decimal(character, None) is not None:
            assert any(each.start <= place < each.end for each in actual)
