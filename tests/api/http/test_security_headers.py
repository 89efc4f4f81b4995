import base64
import hashlib
import re

import httpx
import pytest

from tests.api.http.application import application, open_client
from tests.api.http.named_users import named_application, open_named_client

pytestmark = pytest.mark.anyio

EXPECTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
SITE = "https://desk.example.com"


async def test_every_answer_forbids_what_a_browser_might_do_with_it(home):
    app = application(home)

    @app.get("/api/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    async with open_client(app) as client:
        for path, status in (
            ("/api/health", 200),
            ("/api/portfolios", 200),
            ("/api/nothing", 404),
            ("/api/jobs?limit=x", 422),
            ("/api/broken", 500),
            ("/", 200),
            ("/api", 307),
            ("/api/docs", 200),
            ("/api/openapi.json", 200),
            ("/api/docs/static/swagger-ui.css", 200),
            (f"/api/{'a' * 9000}", 414),
        ):
            answer = await client.get(path)
            assert answer.status_code == status
            assert EXPECTED.items() <= dict(answer.headers).items(), path
            assert "default-src 'none'; frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "strict-transport-security" not in answer.headers
            assert answer.headers["cache-control"] == ("no-cache" if "etag" in answer.headers else "no-store")


async def test_scripts_run_on_pages_of_the_documentation_only(home):
    async with open_client(application(home)) as client:
        for page in ("/api/docs", "/api/docs/oauth2-redirect"):
            answer = await client.get(page)
            policy = answer.headers["content-security-policy"]
            (script,) = re.findall(rb"<script>(.*?)</script>", answer.content, re.DOTALL)
            assert f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" in policy
            assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        assert "script-src" not in (await client.get("/api/health")).headers["content-security-policy"]


async def test_a_browser_that_came_by_tls_stays_with_it(home):
    app = application(home)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1") as client:
            answer = await client.get("/api/health")
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_pages_of_other_sites_may_ask_where_the_settings_name_them_only(home):
    preflight = {"Origin": SITE, "Access-Control-Request-Method": "GET"}
    async with open_named_client(named_application(home / "closed")) as client:
        answer = await client.options("/api/portfolios", headers=preflight)
        assert not any(name.startswith("access-control") for name in answer.headers)
    async with open_named_client(
        named_application(home / "open", CORS_ORIGINS=f"{SITE},http://localhost:5173")
    ) as client:
        wanted = preflight | {"Access-Control-Request-Headers": "authorization, x-request-id"}
        allowed = await client.options("/api/portfolios", headers=wanted)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SITE)
        assert "access-control-allow-credentials" not in allowed.headers
        for origin in ("https://desk.example.com.site.example", "http://desk.example.com", "null"):
            refused = await client.options("/api/portfolios", headers=preflight | {"Origin": origin})
            assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (400, False), origin
