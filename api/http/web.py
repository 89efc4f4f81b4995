"""The web application: its page at every address outside /api, and its files below /assets."""

import secrets
from pathlib import Path
from string import Template

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

_DIST = Path(__file__).parents[2] / "web" / "dist"
_NONCE = "__CSP_NONCE__"
"""Stands in the built page where the nonce of a response belongs."""
_POLICY = Template(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'; "
    "script-src 'self' 'nonce-$nonce'; style-src 'self' 'nonce-$nonce'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'"
)
_THEME_COOKIE = "stratigos-theme"
_THEMES = ("light", "dark")
_ATTRIBUTE = 'data-mantine-color-scheme="'


def add_web_application(app: FastAPI) -> None:
    """Serve the page and its files; addresses below /api and files that do not exist stay 404."""
    page = (_DIST / "index.html").read_text(encoding="utf-8")
    router, not_found = app.router, app.router.default

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        """What no route matches; a route that lacks the method only is not among it."""
        if scope["type"] != "http" or _belongs_to_api(scope["path"]):
            await not_found(scope, receive, send)
            return
        request = Request(scope)
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if "." in request.url.path.rpartition("/")[2]:
            raise HTTPException(404)
        await _page(page, request)(scope, receive, send)

    app.mount("/assets", _Assets(directory=_DIST / "assets"))
    router.default = answer


class _Assets(StaticFiles):
    """Files whose names change with their content, so that a browser asks for each once."""

    def file_response(self, *args: object, **options: object) -> Response:
        response = super().file_response(*args, **options)  # pyright: ignore[reportArgumentType]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _belongs_to_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")


def _page(page: str, request: Request) -> Response:
    """The page with a new nonce and the user's theme, which applies before the first script runs."""
    nonce = secrets.token_urlsafe(18)
    text = page.replace(_NONCE, nonce)
    theme = request.cookies.get(_THEME_COOKIE)
    if theme in _THEMES:
        text = text.replace(f'{_ATTRIBUTE}light"', f'{_ATTRIBUTE}{theme}"', 1)
    # a stored page would repeat its nonce under a policy with another one
    headers = {"Content-Security-Policy": _POLICY.substitute(nonce=nonce), "Cache-Control": "no-store"}
    return HTMLResponse(text, headers=headers)
