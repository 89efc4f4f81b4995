"""Collects the figures of one tool result."""

from desk.figures.figures import WHOLE_SENTENCE, Figure, Unit
from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured

ORDINALS = tuple(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth twenty-first".split()
)
"""Labels of holdings where their names, which may come from a file, must not appear."""


class Money(Frozen):
    amount: float
    currency: str


class Sheet:
    """Figures whose ids begin with `prefix` and whose sources begin with `tool`; None values are skipped."""

    def __init__(self, tool: str, prefix: str) -> None:
        self._tool = tool
        self._prefix = prefix
        self._figures: list[Figure] = []

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(self._figures)

    def add(
        self,
        name: str,
        quantity: str,
        value: Measured | float | str | None,
        unit: Unit,
        *,
        currency: str | None = None,
    ) -> None:
        if value is None:
            return
        number, error = (value.value, value.error) if isinstance(value, Measured) else (value, None)
        self._figures.append(
            Figure(
                id=f"{self._prefix}_{name}",
                quantity=quantity,
                value=number,
                unit=unit,
                error=error,
                currency=currency,
                source=f"{self._tool}.{name}",
            )
        )

    def say(self, name: str, text: str) -> None:
        """Add a sentence that stands by itself in an answer."""
        id_ = f"{self._prefix}_{name}"
        self._figures.append(sentence_figure(id_, text, f"{self._tool}.{name}"))

    def share_of(self, money: Money | None, name: str, quantity: str, share: float | None) -> None:
        """Add a share of an amount of money, if both are given."""
        if money is not None and share is not None:
            self.add(f"{name}_money", f"{quantity}, in money", share * money.amount, "money", currency=money.currency)


def sentence_figure(id_: str, text: str, source: str) -> Figure:
    """A sentence that code wrote; no other sentence can describe it, so it is referred to alone."""
    return Figure(id=id_, quantity=WHOLE_SENTENCE, value=text, unit="text", source=source)
