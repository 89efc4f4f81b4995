"""A user pool that signs tokens like Cognito and serves its public keys over loopback."""

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "desk1client"
PERSON = "7c0a4f0e-1d5b-4f0c-9a36-2f1c5a1b9d11"


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

    def jwks(self) -> bytes:
        public = [key.as_dict(private=False, kid=kid, use="sig", alg="RS256") for kid, key in self.keys.items()]
        return json.dumps({"keys": public}).encode() if self.content is None else self.content

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
            content = pool_.jwks()
            self.send_response(pool_.status)
            if pool_.status == 302:
                self.send_header("Location", f"{pool_.issuer}/elsewhere")
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
