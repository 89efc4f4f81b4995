"""Tokens that can be made without a pool's private key."""

import base64
import hmac
import json
from typing import Any

from joserfc import jws

from tests.doubles.cognito import Pool, rsa


def encoded(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged_tokens(pool: Pool) -> dict[str, str]:
    """Tokens by what is wrong with each."""
    header, payload, signature = pool.token().split(".")
    public = rsa(1).as_pem(private=False)
    claims = pool.claims()
    secretly = f"{encoded({'alg': 'HS256', 'kid': 'one'})}.{payload}"
    unencoded = encoded({"alg": "RS256", "kid": "one", "b64": False, "crit": ["b64"]})
    jwk = rsa(2).as_dict(private=False)
    return {
        "other pool, same key id": pool.token(key=rsa(2)),
        "other pool, own key id": pool.token(kid="two", key=rsa(2)),
        "swapped key id": pool.token(kid="two"),
        "key id with odd characters": pool.token(kid="../one\x00é"),
        "key id as a list": f"{encoded({'alg': 'RS256', 'kid': ['one']})}.{payload}.{signature}",
        "no key id": f"{encoded({'alg': 'RS256'})}.{payload}.{signature}",
        "no algorithm": f"{encoded({'alg': 'none', 'kid': 'one'})}.{payload}.",
        "no algorithm, with a signature": f"{encoded({'alg': 'none', 'kid': 'one'})}.{payload}.{signature}",
        "No algorithm": f"{encoded({'alg': 'None', 'kid': 'one'})}.{payload}.{signature}",
        "the public key as a secret": f"{secretly}.{encoded(hmac.digest(public, secretly.encode(), 'sha256'))}",
        "other algorithm, other key": jws.serialize_compact(
            {"alg": "PS256", "kid": "one"}, json.dumps(claims), rsa(1), algorithms=["PS256"]
        ),
        "its own key": pool.token(header={"jwk": jwk}, key=rsa(2)),
        "its own set of keys": pool.token(header={"jku": "http://127.0.0.1:1/jwks.json"}, key=rsa(2)),
        "its own certificate": pool.token(header={"x5u": "http://127.0.0.1:1/x"}, key=rsa(2)),
        "unencoded payload": f"{unencoded}.e30.{signature}",
        "a header that is text": f"{encoded('alg')}.{payload}.{signature}",
        "a header that is a list": f"{encoded(['alg'])}.{payload}.{signature}",
        "a deep header": f"{encoded(b'[' * 380)}.{payload}.{signature}",
        "a header that is no text": f"{encoded(bytes(range(128, 200)))}.{payload}.{signature}",
        "other payload": f"{header}.{encoded(claims | {'cognito:groups': ['administrator']})}.{signature}",
        "no payload": f"{header}..{signature}",
        "no signature": f"{header}.{payload}.",
        "cut in two": f"{header}.{payload}",
        "cut short": pool.token()[:-1],
        "four parts": f"{header}.{payload}.{signature}.{signature}",
        "padded": f"{header}.{payload}.{signature}=",
        "other letters": f"{header}.{payload}.{signature[:-4]}+/+/",
        "a line break": f"{header}.{payload}.{signature}\n",
        "not base64": "a.b.c",
        "nothing": "",
        "ten kilobytes": "x" * 10_000,
        "ten kilobytes of parts": f"{'a' * 3000}.{'b' * 3000}.{'c' * 4000}",
        "letters of the world": "é" * 300,
    }
