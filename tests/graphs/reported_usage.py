"""The tokens that the Bedrock double reported, and their price."""

from collections.abc import Iterable

from desk.governance.usage import Usage
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.clients import MODEL
from tests.graphs.bedrock_runs import OTHER_MODEL


def tokens_of(usage: Usage) -> tuple[int, int, int, int]:
    return usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.written_tokens


def reported_tokens(received: Iterable[Received]) -> tuple[int, int, int, int]:
    usages = [each.reported for each in received if each.reported]
    return (
        sum(one.input for one in usages),
        sum(one.output for one in usages),
        sum(one.cache_read for one in usages),
        sum(one.cache_write for one in usages),
    )


def cost_of(received: Iterable[Received]) -> float:
    """Prices from the public list: Claude Sonnet 4.5 in a region, Nova Pro."""
    prices = {MODEL: (3.3, 16.5, 0.33, 4.125), OTHER_MODEL: (0.8, 3.2, 0.2, 0.8)}
    return sum(
        (one.input * a + one.output * b + one.cache_read * c + one.cache_write * d) / 1e6
        for each in received
        if (one := each.reported)
        for a, b, c, d in [prices[each.model]]
    )
