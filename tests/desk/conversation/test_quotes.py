import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from desk.base.errors import InvalidInput
from desk.conversation.quotes import (
    is_quote,
    parse_basis_points,
    parse_fraction,
    parse_money,
    parse_multiple,
    parse_ratio,
    parse_sessions,
    parse_whole,
    parse_years,
    split_period,
)


@pytest.mark.parametrize(
    ("quote", "value"),
    [
        ("12%", 0.12),
        ("12 %", 0.12),
        ("12 percent", 0.12),
        ("12 per cent", 0.12),
        ("12pct", 0.12),
        ("twelve percent", 0.12),
        ("twenty-five percent", 0.25),
        ("two and a half percent", 0.025),
        ("0.12", 0.12),
        (".12", 0.12),
        ("12", 0.12),
        ("1.5", 0.015),
        ("1,5%", 0.015),
        ("0,125", 0.125),
        ("150 bps", 0.015),
        ("1%", 0.01),
        ("0", 0.0),
        ("100%", 1.0),
        ("5 percentage points", 0.05),
        ("a third", 1 / 3),
        ("half", 0.5),
        ("two thirds", 2 / 3),
        ("1/2", 0.5),
        ("8% a year", 0.08),
        ("-5%", -0.05),
        ("−5%", -0.05),
        ("minus five percent", -0.05),
    ],
)
def test_a_share_is_read(quote: str, value: float) -> None:
    assert parse_fraction("target_volatility", quote, -1.0, 1.0) == pytest.approx(value)


@pytest.mark.parametrize(
    "quote",
    [
        "1",
        "1.0",
        "one",
        "120%",
        "12 months",
        "EUR 12",
        "1.5x",
        "12 or 13%",
        "10-12%",
        "around",
        "",
        "%",
        "12%%",
        "1.000%",
        "1,500",
        "1O%",
        "١٢%",
        "12% 13%",
        "about 12%",
        "not 12%",
        "5 points",
        "12.5.1%",
        "1e400",
        "nan",
        "inf%",
    ],
)
def test_no_share_is_guessed(quote: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_fraction("target_volatility", quote, 0.0, 1.0)
    assert refusal.value.field == "target_volatility"
    assert refusal.value.value == quote


@pytest.mark.parametrize(
    ("quote", "value"),
    [
        ("5 bps", 5),
        ("5bp", 5),
        ("five basis points", 5),
        ("5", 5),
        ("0.05%", 5),
        ("2.5 bps", 2.5),
        ("0", 0),
        ("1,000 bps", 1000),
    ],
)
def test_basis_points_are_read(quote: str, value: float) -> None:
    assert parse_basis_points("transaction_cost", quote, 0, 1000) == pytest.approx(value)


@pytest.mark.parametrize("quote", ["0.0005", "5 years", "double", "1.000", "$5", "2000 bps"])
def test_no_basis_points_are_guessed(quote: str) -> None:
    with pytest.raises(InvalidInput, match="transaction_cost"):
        parse_basis_points("transaction_cost", quote, 0, 1000)


@pytest.mark.parametrize(
    ("quote", "value"),
    [
        ("100", 100),
        ("1,000", 1000),
        ("1 000", 1000),
        ("1'000", 1000),
        ("a thousand", 1000),
        ("one hundred and five", 105),
        ("two thousand five hundred", 2500),
        ("2k", 2000),
        ("2.5k", 2500),
        ("a dozen", 12),
        ("200 trials", 200),
        ("a hundred paths", 100),
    ],
)
def test_a_whole_number_is_read(quote: str, value: int) -> None:
    assert parse_whole("trials", quote, 1, 100_000) == value


@pytest.mark.parametrize("quote", ["1.000", "12.5", "0", "1,00,0", "200 %", "twice", "12 months", "several", "third"])
def test_no_whole_number_is_guessed(quote: str) -> None:
    with pytest.raises(InvalidInput, match="trials"):
        parse_whole("trials", quote, 1, 100_000)


@pytest.mark.parametrize(
    ("quote", "value"),
    [
        ("10 years", 10),
        ("ten years", 10),
        ("10-year", 10),
        ("10y", 10),
        ("10", 10),
        ("a decade", 10),
        ("two decades", 20),
        ("18 months", 1.5),
        ("a year", 1),
        ("one and a half years", 1.5),
        ("a year and a half", 1.5),
        ("half a year", 0.5),
        ("2,5 years", 2.5),
    ],
)
def test_years_are_read(quote: str, value: float) -> None:
    assert parse_years("years", quote, 0.25, 50) == pytest.approx(value)


@pytest.mark.parametrize("quote", ["10%", "18m", "100 years", "1.500 years", "2020", "March 2020", "long"])
def test_no_years_are_guessed(quote: str) -> None:
    with pytest.raises(InvalidInput, match="years"):
        parse_years("years", quote, 0.25, 50)


@pytest.mark.parametrize(
    ("quote", "value"),
    [
        ("12 months", 252),
        ("twelve months", 252),
        ("12-month", 252),
        ("60 days", 60),
        ("60d", 60),
        ("60 trading days", 60),
        ("one year", 252),
        ("a year", 252),
        ("a quarter", 63),
        ("two quarters", 126),
        ("a month", 21),
        ("4 weeks", 20),
        ("half a year", 126),
        ("252", 252),
    ],
)
def test_sessions_are_read(quote: str, value: int) -> None:
    assert parse_sessions("lookback", quote, 10, 504) == value


@pytest.mark.parametrize("quote", ["12m", "3 days", "10 years", "60%", "60.5 days", "fast"])
def test_no_sessions_are_guessed(quote: str) -> None:
    with pytest.raises(InvalidInput, match="lookback"):
        parse_sessions("lookback", quote, 10, 504)


@pytest.mark.parametrize(
    ("quote", "value"),
    [("3", 3), ("1.5x", 1.5), ("two", 2), ("1,5", 1.5), ("150%", 1.5), ("twice", 2), ("three times", 3)],
)
def test_a_ratio_is_read(quote: str, value: float) -> None:
    assert parse_ratio("max_leverage", quote, 0, 10) == pytest.approx(value)


@pytest.mark.parametrize("quote", ["1.500", "1,500", "3 bps", "11", "3 years", "$3"])
def test_no_ratio_is_guessed(quote: str) -> None:
    with pytest.raises(InvalidInput, match="max_leverage"):
        parse_ratio("max_leverage", quote, 0, 10)


@pytest.mark.parametrize(
    ("quote", "amount", "currency"),
    [
        ("EUR 2.5m", 2.5e6, "EUR"),
        ("€2.5m", 2.5e6, "EUR"),
        ("€1,5m", 1.5e6, "EUR"),
        ("2.5 million euros", 2.5e6, "EUR"),
        ("two million euros", 2e6, "EUR"),
        ("two and a half million euros", 2.5e6, "EUR"),
        ("half a million dollars", 5e5, "USD"),
        ("$500k", 5e5, "USD"),
        ("500 USD", 500, "USD"),
        ("£1bn", 1e9, "GBP"),
        ("CHF 250'000", 250_000, "CHF"),
        ("250,000", 250_000, None),
        ("2mn", 2e6, None),
        ("1.000.000 €", 1e6, "EUR"),
        ("1.234.567,89 EUR", 1_234_567.89, "EUR"),
        ("1,234,567.89 EUR", 1_234_567.89, "EUR"),
    ],
)
def test_an_amount_is_read(quote: str, amount: float, currency: str | None) -> None:
    assert parse_money("amount", quote) == (pytest.approx(amount), currency)


@pytest.mark.parametrize("quote", ["1.000 €", "EUR 2.500", "50 cents", "12%", "-$500", "EUR", "lots", "€1m or $2m"])
def test_no_amount_is_guessed(quote: str) -> None:
    with pytest.raises(InvalidInput, match="amount"):
        parse_money("amount", quote)


@pytest.mark.parametrize(
    ("quote", "value"),
    [
        ("double", 2),
        ("Twice", 2),
        ("half", 0.5),
        ("triple", 3),
        ("2x", 2),
        ("three times", 3),
        ("double the costs", 2),
        ("twice as much", 2),
        ("half as much again", None),
        ("not double", None),
        ("12%", None),
        ("2", None),
        ("double or triple", None),
        ("five bps", None),
    ],
)
def test_a_multiple_is_read_or_none(quote: str, value: float | None) -> None:
    assert parse_multiple(quote) == value


@pytest.mark.parametrize(
    ("quote", "message", "expected"),
    [
        ("12%", "Target volatility of 12%, please.", True),
        ("12%", "keep it at 12 %", False),
        ("12 percent", "at most 12\u00a0 Percent", True),
        ("2%", "12%", False),
        ("12", "12%", False),
        ("12", "12 bps", False),
        ("2.5m", "EUR 2.5m", False),
        ("EUR 2.5", "EUR 2.5m", False),
        ("EUR 2.5m", "I have eur 2.5M in cash", True),
        ("12%", "-12%", False),
        ("five", "twenty-five", False),
        ("five percent", "five percent", True),
        ("one", "someone", False),
        ("the client's book", "the client’s book", True),
        ("12-month rule", "the 12‑month rule", True),
        ("100", "100 trials, then 50", True),
        ("50", "100 trials, then 50", True),
        ("10", "100 trials", False),
        ("double", "and with double the costs?", True),
        ("", "anything", False),
        (" ", "anything else", False),
        ("sp500", "SP500 and bonds", True),
        ("500", "SP500 and bonds", False),
    ],
)
def test_a_quote_is_found_in_the_message_as_whole_words(quote: str, message: str, expected: bool) -> None:
    assert is_quote(quote, ["Hello.", message]) is expected


@given(st.decimals(min_value=0, max_value=100, places=2))
def test_every_percentage_comes_back(percent) -> None:
    if len(str(percent).split(".")[-1]) != 3:
        assert parse_fraction("f", f"{percent}%", 0, 1) == pytest.approx(float(percent) / 100)


@given(st.integers(1, 10**9))
def test_every_amount_comes_back(amount: int) -> None:
    assert parse_money("f", f"EUR {amount:,}") == (amount, "EUR")
    assert parse_money("f", f"{amount} $") == (amount, "USD")


@given(
    st.integers(0, 10**6), st.text("0123456789%.,€$ kmbps-", max_size=6), st.text("0123456789%.,€$ kmbps-", max_size=6)
)
def test_a_quote_never_cuts_a_number(number: int, before: str, after: str) -> None:
    alone = rf"(?<![\d.,]){number}(?!\d|[.,]\d)"
    assume(not re.search(alone, before) and not re.search(alone, after))  # then it is quoted from there
    longer = f"{number}{after}"
    if after[:1].isdigit():
        assert not is_quote(str(number), [f"keep {longer} here"])
    if before[-1:].isdigit():
        assert not is_quote(str(number), [f"keep {before}{number} here"])


@pytest.mark.parametrize(
    ("quote", "parts"),
    [
        ("EUR 12,000 a year", ("EUR 12,000", 12)),
        ("4% p.a.", ("4%", 12)),
        ("$500 per month", ("$500", 1)),
        ("$500", ("$500", None)),
    ],
)
def test_the_period_of_a_payment_is_split_from_its_amount(quote: str, parts: tuple[str, int | None]) -> None:
    assert split_period(quote) == parts
