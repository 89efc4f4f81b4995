"""The session of a browser: its state and its end."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.identity.session_state import SessionState, session_state
from api.http.identity.sessions import delete_cookie
from api.http.response_headers import COOKIE_HEADER

router = APIRouter(tags=["users"])


@router.get("/session", summary="Your session, with its CSRF token", responses=error_responses())
async def get_session(request: Request, service: AppStateDep, principal: PrincipalDep) -> SessionState:
    """401 without a session: sign in with POST /api/session.

    Without authentication, and with a key or token in the header, there is no session: `expires` and `csrf_token`
    are null.
    """
    found = None if service.sign_in is None else await service.sign_in.sessions.find(request)
    return session_state(request, principal, found)


@router.delete(
    "/session",
    status_code=204,
    summary="Sign out",
    responses={204: {"headers": COOKIE_HEADER}, **error_responses()},
)
async def end_session(
    request: Request,
    service: AppStateDep,
    principal: PrincipalDep,
    *,
    all: Annotated[bool, Query(description="End all of your sessions, in every browser")] = False,  # noqa: A002
) -> Response:
    """Ends the session of the cookie; without a session nothing changes. Open streams end within ten seconds."""
    response = Response(status_code=204)
    if service.sign_in is not None:
        sessions = service.sign_in.sessions
        await (sessions.end_all(principal.owner) if all else sessions.end(request))
        delete_cookie(request, response)
    return response
