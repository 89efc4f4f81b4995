"""The page of the web application at every address outside /api, and its files."""

import re

import pytest

from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

NONCE = re.compile(r'nonce="([^"]*)"')


async def test_a_deep_link_leads_to_the_page_with_a_policy_of_its_own_nonce(home):
    async with open_client(application(home)) as client:
        first, second = [await client.get("/runs/abc?tab=costs") for _ in range(2)]
    nonces = []
    for answer in (first, second):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert answer.headers["cache-control"] == "no-store"
        (nonce,) = set(NONCE.findall(answer.text))
        parts = [part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")]
        policy = dict(parts)
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == f"'self' 'nonce-{nonce}'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        nonces.append(nonce)
    assert nonces[0] != nonces[1]
    assert all(len(nonce) >= 24 for nonce in nonces)


async def test_the_page_names_files_that_exist_and_may_be_kept_for_good(home):
    async with open_client(application(home)) as client:
        page = (await client.get("/")).text
        files = re.findall(r'(?:src|href)="([^"]+)"', page)
        answers = [await client.get(file) for file in files]
    assert len(files) >= 3
    assert all(file.startswith("/assets/") for file in files)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=31536000, immutable"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nope", 404),
        ("POST", "/api/nope", 404),
        ("DELETE", "/api/health", 405),
        ("GET", "/assets/nope.js", 404),
        ("GET", "/favicon.ico", 404),
        ("POST", "/runs", 405),
        ("HEAD", "/runs", 200),
    ],
)
async def test_other_addresses_answer_as_before(home, method, path, status):
    async with open_client(application(home)) as client:
        answer = await client.request(method, path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]["code"] in ("NOT_FOUND", "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("cookie", "theme"), [("dark", "dark"), ("light", "light"), ("auto", "light"), ('"><b', "light")]
)
async def test_the_page_has_the_theme_of_the_cookie(home, cookie, theme):
    async with open_client(application(home)) as client:
        page = (await client.get("/", headers={"Cookie": f"stratigos-theme={cookie}"})).text
    assert f'data-mantine-color-scheme="{theme}"' in page
