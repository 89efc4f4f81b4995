import pytest
from pydantic import ValidationError

from desk.figures.figures import Figure, format_figure
from desk.figures.sheet import Money, Sheet
from quant.numeric.measured import Measured


@pytest.mark.parametrize(
    ("value", "error", "currency", "text"),
    [
        (1234.4, None, "EUR", "EUR 1,234"),
        (2_500_000.0, 1234.0, "USD", "USD 2,500,000, plus or minus 1,234"),
        (100.0, 0.2, "CHF", "CHF 100, plus or minus less than 1"),
        (-50.0, None, "GBP", "GBP \N{MINUS SIGN}50"),
        (117.0, None, None, "117"),
    ],
)
def test_money_reads_with_its_currency(value, error, currency, text) -> None:
    figure = Figure(id="x", quantity="q", value=value, unit="money", error=error, currency=currency, source="s.x")
    assert format_figure(figure) == text


@pytest.mark.parametrize("currency", ["euro", "EU", "E\u00dcR", "$", "", "EURO 9"])
def test_a_currency_is_three_letters(currency) -> None:
    with pytest.raises(ValidationError):
        Figure(id="x", quantity="q", value=1.0, unit="money", currency=currency, source="s.x")


def test_a_sheet_leaves_out_what_does_not_exist() -> None:
    sheet = Sheet("a_tool", "part")
    sheet.add("none", "nothing", None, "percent")
    sheet.share_of(None, "loss", "loss", 0.1)
    sheet.share_of(Money(amount=5.0, currency="EUR"), "gain", "gain", None)
    assert sheet.figures == ()
    sheet.add("loss", "a loss", Measured(value=0.1, error=0.01), "percent")
    sheet.share_of(Money(amount=500.0, currency="EUR"), "loss", "a loss", 0.1)
    first, second = sheet.figures
    assert (first.id, first.error, first.source) == ("part_loss", 0.01, "a_tool.loss")
    assert (second.id, format_figure(second)) == ("part_loss_money", "EUR 50")
