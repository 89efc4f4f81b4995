"""The origin of the page that sends a request."""

from starlette.requests import HTTPConnection


def is_allowed_origin(connection: HTTPConnection, cors_origins: str) -> bool:
    """Whether the page is of this service or of one of `cors_origins`; clients other than browsers send no origin."""
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    same_host = origin.partition("://")[2] == connection.headers.get("host")
    return bool(origin) and (same_host or origin in cors_origins.split(","))
