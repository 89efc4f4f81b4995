"""Response type of a session."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection

from api.http.identity.sessions import Session, csrf_token, session_token
from desk.governance.principals import Principal


class SessionState(BaseModel):
    """A signed-in user, and what a page needs to send changes."""

    name: Annotated[str, Field(description="Name of the user", examples=["anna"])]
    expires: Annotated[
        datetime | None,
        Field(description="When the session ends; null without a session", examples=["2026-03-02T21:00:00Z"]),
    ]
    csrf_token: Annotated[
        str | None,
        Field(
            description="Value of the header `X-CSRF-Token`, which every request other than GET and HEAD needs with "
            "this session; null without a session",
            examples=["5f0c9c2be5b74d0d8f4a6f1c9c2be5b75f0c9c2be5b74d0d8f4a6f1c9c2be5b7"],
        ),
    ]


def session_state(connection: HTTPConnection, principal: Principal, session: Session | None) -> SessionState:
    """The state of the request's session; a session of another user than the header's counts as none."""
    token = session_token(connection)
    if session is None or token is None or session.principal != principal:
        return SessionState(name=principal.owner, expires=None, csrf_token=None)
    return new_session_state(token, session)


def new_session_state(token: str, session: Session) -> SessionState:
    return SessionState(name=session.principal.owner, expires=session.expires, csrf_token=csrf_token(token))
