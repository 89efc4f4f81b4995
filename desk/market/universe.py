"""Which assets a request names."""

from desk.base.errors import InvalidInput


def split_universe(universe: str) -> tuple[str, tuple[str, ...]]:
    """`stocks:AAPL,MSFT` is the universe `stocks` and the assets AAPL and MSFT of it."""
    name, colon, listed = universe.strip().partition(":")
    assets = tuple(asset.strip() for asset in listed.split(",")) if colon else ()
    if (colon and not all(assets)) or len(set(assets)) != len(assets):
        raise InvalidInput(
            "universe",
            universe,
            allowed="a name, or name:A,B with distinct assets A, B of it",
            code="unknown_universe",
        )
    return name.strip(), assets
