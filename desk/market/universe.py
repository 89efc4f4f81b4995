"""Parses the universe and assets of a request."""

from desk.base.errors import InvalidInput


def split_universe(universe: str) -> tuple[str, tuple[str, ...]]:
    """Split `stocks:AAPL,MSFT` into the universe `stocks` and its assets AAPL and MSFT."""
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
