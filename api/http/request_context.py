"""What logs, limits and the audit log record of a connection: request id, client address, route and owner."""

from starlette.requests import HTTPConnection
from starlette.types import Scope
from structlog.contextvars import bind_contextvars

REQUEST_ID_HEADER = "X-Request-Id"


def request_id(connection: HTTPConnection) -> str:
    return connection.state.request_id


def client_address(connection: HTTPConnection) -> str:
    """The address of the peer, or the one that a trusted proxy reports; empty without a socket."""
    return "" if connection.client is None else connection.client.host


def bind_owner(connection: HTTPConnection, owner: str) -> None:
    """Add the owner and the route to the log lines of this request."""
    connection.state.owner = owner
    bind_contextvars(owner=owner, route=route_template(connection.scope))


def route_template(scope: Scope) -> str:
    """The path template of the OpenAPI document, which contains no value that a client chose; empty without a route."""
    places = (scope.get("fastapi", {}).get("effective_route_context"), scope.get("route"))
    return next((format_ for place in places if (format_ := getattr(place, "path_format", ""))), "")
