"""A user pool over loopback: signs tokens like Cognito, serves its keys, and grants codes (OpenID Connect, PKCE)."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "desk1client"
PERSON = "7c0a4f0e-1d5b-4f0c-9a36-2f1c5a1b9d11"
REDIRECT = "https://desk.example/sign-in"
"""The page that the app client allows at first."""


@cache
def rsa(number: int) -> RSAKey:
    """Cached, because key generation is slow."""
    return RSAKey.generate_key(2048)


class Pool:
    """Keys by id, and the server's behaviour; both may be changed at any time."""

    def __init__(self) -> None:
        self.keys = {"one": rsa(1)}
        self.fetches = 0
        self.status = 200
        self.content: bytes | None = None
        """A response that replaces the keys."""
        self.slowly = 0.0
        self.issuer = ""
        self.redirect = REDIRECT
        self.codes: dict[str, dict[str, str]] = {}
        """The authorization requests by their codes, which are granted once."""
        self.endpoint_issuer: str | None = None
        """An issuer that the discovery document names in place of the own one."""

    def jwks(self) -> bytes:
        public = [key.as_dict(private=False, kid=kid, use="sig", alg="RS256") for kid, key in self.keys.items()]
        return json.dumps({"keys": public}).encode() if self.content is None else self.content

    def discovery(self) -> bytes:
        base = self.issuer.rpartition("/")[0]
        document = {
            "issuer": self.endpoint_issuer or self.issuer,
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "token_endpoint": f"{base}/oauth2/token",
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
        }
        return json.dumps(document).encode()

    def authorize(self, query: dict[str, str]) -> tuple[int, str]:
        """Sign the one user in, and return to the page that the app client allows with a code and the state."""
        allowed = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}
        if (
            any(query.get(name) != value for name, value in allowed.items())
            or query.get("redirect_uri") != self.redirect
        ):
            return 400, ""
        code = secrets.token_hex(8)
        self.codes[code] = query
        return 302, f"{self.redirect}?{urlencode({'code': code, 'state': query['state']})}"

    def grant(self, form: dict[str, str]) -> tuple[int, bytes]:
        """The tokens of a code (RFC 6749, section 4.1.3; RFC 7636, section 4.6)."""
        request = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        expected = {"grant_type": "authorization_code", "client_id": CLIENT, "redirect_uri": self.redirect}
        matches = all(form.get(name) == value for name, value in expected.items())
        if request is None or not matches or challenge != request["code_challenge"]:
            return 400, b'{"error": "invalid_grant"}'
        tokens = {"access_token": self.token(), "token_type": "Bearer", "expires_in": 3600}
        return 200, json.dumps(tokens).encode()

    def claims(self, **changed: Any) -> dict[str, Any]:
        """The claims of an access token; None omits a claim."""
        now = int(time.time())
        usual = {
            "sub": PERSON,
            "iss": self.issuer,
            "version": 2,
            "client_id": CLIENT,
            "token_use": "access",
            "scope": "openid",
            "auth_time": now,
            "exp": now + 3600,
            "iat": now,
            "jti": "9f1b",
            "username": PERSON,
        }
        return {name: value for name, value in (usual | changed).items() if value is not None}

    def token(
        self,
        *,
        kid: str = "one",
        key: RSAKey | None = None,
        header: Any = None,
        groups: Any = ("portfolio-manager",),
        **changed: Any,
    ) -> str:
        """A signed token; `header` extends the default header."""
        signed = {"kid": kid, "alg": "RS256", **(header or {})}
        signer = key or self.keys.get(kid) or rsa(1)
        claims = self.claims(**{"cognito:groups": groups} | changed)
        return jwt.encode(signed, claims, signer, algorithms=["RS256"], default_type=None)


@contextmanager
def pool() -> Generator[Pool]:
    pool_ = Pool()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pool_.fetches += 1
            time.sleep(pool_.slowly)
            url = urlsplit(self.path)
            if url.path == "/oauth2/authorize":
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                self._answer(*pool_.authorize(query))
            elif url.path.endswith("/openid-configuration"):
                self._answer(pool_.status, content=pool_.discovery())
            else:
                place = f"{pool_.issuer}/elsewhere" if pool_.status == 302 else ""
                self._answer(pool_.status, place, pool_.jwks())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, content = pool_.grant({name: values[0] for name, values in parse_qs(body).items()})
            self._answer(status, content=content)

        def _answer(self, status: int, location: str = "", content: bytes = b"") -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        pool_.issuer = f"http://127.0.0.1:{server.server_port}/eu-west-1_Pool"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield pool_
        finally:
            server.shutdown()
            thread.join()
