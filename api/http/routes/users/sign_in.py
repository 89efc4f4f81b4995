"""Sign-in of browsers: with an API key, or at the page of a Cognito pool."""

from contextlib import nullcontext
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from api.http.body_limits import limited_route
from api.http.dependencies import AppState, AppStateDep
from api.http.errors.problems import Problem, Unauthorized, error_responses
from api.http.identity.authentication import SignIn
from api.http.identity.authorization_codes import VERIFIER, new_verifier
from api.http.identity.session_state import SessionState, new_session_state
from api.http.identity.sessions import is_secure, set_cookie
from api.http.middleware.audit import start_request_record
from api.http.response_headers import COOKIE_HEADER
from desk.governance.principals import Principal

VERIFIERCOOKIE_HEADER, VERIFIER_PATH, VERIFIER_SECONDS = "stratigos_sign_in", "/api/session", 600

router = APIRouter(tags=["users"], route_class=limited_route(20_000, slot=lambda request: nullcontext()))  # noqa: ARG005

Url: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^https?://[^\s?#@]{1,500}$",
        description="The page of the user interface to which the pool returns; one that the app client allows",
        examples=["https://desk.example.com/sign-in"],
    ),
]


class KeySignIn(BaseModel):
    """Sign-in with an API key."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="An API key, as `python -m api keys create` prints it",
            examples=["stratigos_3f6c0e8a5f0e_Vb1nQ0m3yq8t5kXc2d7hR4wZ6pL9sJ0fA1uE3gT5iNo"],
        ),
    ]


class CodeSignIn(BaseModel):
    """Sign-in with the authorization code of a pool."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[
        str,
        Field(min_length=1, max_length=2_048, description="`code` of the page's URL", examples=["6f1c-9c2b-e5b7"]),
    ]
    state: Annotated[
        str, Field(min_length=1, max_length=200, description="`state` of the page's URL", examples=["q8t5kXc2d7hR4wZ6"])
    ]
    redirect_uri: Url


class AuthorizationRequest(BaseModel):
    """Where a pool returns after sign-in."""

    model_config = ConfigDict(extra="forbid")

    redirect_uri: Url


class Authorization(BaseModel):
    """The page of a pool where a user signs in."""

    url: Annotated[
        str,
        Field(
            description="URL to open in this browser, within ten minutes",
            examples=["https://desk.auth.eu-west-1.amazoncognito.com/oauth2/authorize?response_type=code&..."],
        ),
    ]


class SignInMethods(BaseModel):
    """Ways to open a session."""

    methods: Annotated[
        list[Literal["key", "code"]],
        Field(
            description="`key`: POST /api/session with an API key. `code`: POST /api/session/authorization, then POST "
            "/api/session with the code of the page to which the pool returns. Empty when no sign-in is needed",
            examples=[["key", "code"]],
        ),
    ]


def _method(body: Any) -> str:
    is_key = isinstance(body, KeySignIn) or not isinstance(body, dict) or "key" in body
    return "tagged-key" if is_key and not isinstance(body, CodeSignIn) else "tagged-code"


Credentials: TypeAlias = Annotated[
    Annotated[KeySignIn, Tag("tagged-key")] | Annotated[CodeSignIn, Tag("tagged-code")],
    Discriminator(_method),
    Body(
        openapi_examples={  # pyright: ignore[reportArgumentType]
            "key": {
                "summary": "With an API key",
                "value": {"key": "stratigos_3f6c0e8a5f0e_Vb1nQ0m3yq8t5kXc2d7hR4wZ6pL9sJ0fA1uE3gT5iNo"},
            },
            "code": {
                "summary": "With an authorization code",
                "value": {
                    "code": "6f1c-9c2b-e5b7",
                    "state": "q8t5kXc2d7hR4wZ6",
                    "redirect_uri": "https://desk.example.com/sign-in",
                },
            },
        }
    ),
]


@router.get("/session/methods", summary="The ways to sign in", responses=error_responses())
async def list_sign_in_methods(service: AppStateDep) -> SignInMethods:
    """Needs no credentials; `methods` is empty where authentication is off, and requests need no session."""
    sign_in = service.sign_in
    if sign_in is None:
        return SignInMethods(methods=[])
    offered: dict[Literal["key", "code"], object] = {"key": sign_in.keys, "code": sign_in.codes}
    return SignInMethods(methods=[name for name, means in offered.items() if means is not None])


@router.post(
    "/session/authorization",
    summary="Start a sign-in at the page of the Cognito pool",
    responses={200: {"headers": COOKIE_HEADER}, **error_responses(400, 409, 413)},
)
async def start_authorization(
    body: AuthorizationRequest, request: Request, service: AppStateDep, response: Response
) -> Authorization:
    """Sets a cookie with the code verifier (PKCE) and returns the page of the pool to open.

    After sign-in the pool returns to `redirect_uri` with `code` and `state`, which the page sends to
    POST /api/session from the same browser within ten minutes.
    """
    sign_in = _sign_in(service)
    sign_in.sessions.check_origin(request)
    if sign_in.codes is None:
        raise Problem(409, "users do not sign in at a pool here; expected another method of GET /api/session/methods")
    verifier = new_verifier()
    url = await sign_in.codes.authorization_url(verifier, body.redirect_uri)
    _set_verifier(request, response, verifier, VERIFIER_SECONDS)
    return Authorization(url=url)


@router.post(
    "/session",
    status_code=201,
    summary="Sign in: open a session for this browser",
    responses={201: {"headers": COOKIE_HEADER}, **error_responses(400, 409, 413)},
)
async def create_session(body: Credentials, request: Request, service: AppStateDep, response: Response) -> SessionState:
    """Sets the cookie of a session, which then replaces a key or token, also for event streams and WebSockets.

    Requests that change something also need the header `X-CSRF-Token`. A session ends after `SESSION_HOURS`, with
    DELETE /api/session, and when its API key is revoked or expires. 409 where authentication is off.
    """
    sign_in = _sign_in(service)
    sign_in.sessions.check_origin(request)

    async def authenticate() -> Principal:
        if isinstance(body, KeySignIn):
            if sign_in.keys is None:
                raise Unauthorized
            return await sign_in.keys.authenticate(body.key)
        if sign_in.codes is None:
            raise Unauthorized
        verifier = request.cookies.get(VERIFIERCOOKIE_HEADER, "")
        if not VERIFIER.fullmatch(verifier):
            raise Unauthorized
        return await sign_in.codes.exchange(body.code, body.state, verifier, body.redirect_uri)

    credentials = body.key if isinstance(body, KeySignIn) else body.code
    if service.limits is None:
        principal = await authenticate()
    else:
        principal = await service.limits.admit(request, authenticate, credentials)
    await start_request_record(request, principal, service.audit)
    await sign_in.sessions.end(request)
    token, session = await sign_in.sessions.open(principal)
    set_cookie(request, response, token, int((session.expires - session.created).total_seconds()))
    if isinstance(body, CodeSignIn):
        _set_verifier(request, response, "", 0)
    return new_session_state(token, session)


def _sign_in(service: AppState) -> SignIn:
    if service.sign_in is None:
        raise Problem(409, "authentication is off, so no session is needed; expected requests without one")
    return service.sign_in


def _set_verifier(request: Request, response: Response, verifier: str, seconds: int) -> None:
    response.set_cookie(
        VERIFIERCOOKIE_HEADER,
        verifier,
        max_age=seconds,
        path=VERIFIER_PATH,
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )
