"""What every answer carries, and what describes the API: headers, policies, OpenAPI, pages."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn
from fastapi.responses import Response

from backhaul.core.share import share
from backhaul.core.store import Actor, Store
from backhaul.core.testing import Database
from backhaul.dispatch.serving import server_config
from backhaul.dispatch.settings import Settings
from tests.api_fixtures import PASSWORD, Api, jane, refused, running, settings_for, until

PAGES = (
    "/",
    "/index.html",
    "/dashboard.html",
    "/clients.html",
    "/docs",
    "/js/core/api-client.js",
    "/css/app.css",
    "/favicon.svg",
)


# ── Headers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_answer_has_its_number_and_the_security_headers(api: Api, agent: Actor) -> None:
    """(3.4.3, 3.4.4, 3.4.5, 3.4.6, 3.4.8, 3.5.8)"""
    answers = [await api.get(page) for page in (*PAGES, "/health/live", "/metrics", "/openapi.json", "/nope")]
    answers += [
        await api.get("/webhook/get-clients", by=agent),
        await api.get("/webhook/get-clients"),
        await api.post("/webhook/x"),
    ]
    for answer in answers:
        headers = answer.headers
        assert re.fullmatch("[0-9a-f]{16}", headers["x-request-id"]), answer.url
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY"), answer.url
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert {"camera=()", "geolocation=()", "microphone=()"} <= set(headers["permissions-policy"].split(", "))
        policy = policy_of(answer)
        assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] in ("'self'", "'none'")
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert "server" not in headers
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


async def test_pages_may_run_no_script_but_ours_and_talk_to_nobody_but_us(api: Api) -> None:
    for page in ("/", "/dashboard.html", "/clients.html"):
        policy = policy_of(await api.get(page))
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["require-trusted-types-for"] == "'script'"
        assert policy["trusted-types"] == "'none'"
        assert policy["default-src"] == "'self'"


async def test_what_is_no_page_does_nothing_where_a_browser_shows_it_as_one(api: Api, agent: Actor) -> None:
    """(3.2.1)"""
    answers = [await api.get(path) for path in ("/portal-config", "/openapi.json", "/metrics", "/health/live", "/nope")]
    answers += [await api.get("/webhook/get-clients", by=agent), await api.post("/webhook/user-login", {})]
    for answer in answers:
        policy = policy_of(answer)
        assert policy["default-src"] == "'none'", answer.url
        assert "sandbox" in policy


async def test_the_docs_alone_may_write_styles_into_the_page(api: Api) -> None:
    policy = policy_of(await api.get("/docs"))
    assert "'unsafe-inline'" in policy["style-src"]
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in policy.get("script-src", "")
    for path in ("/docsx", "/docs.html", "/js/pages/docs.js"):
        assert "unsafe" not in (await api.get(path)).headers["content-security-policy"]


@pytest.mark.parametrize(
    ("url", "may"),
    [("https://abc.supabase.co", "'self' https://abc.supabase.co wss://abc.supabase.co"),
     ("http://127.0.0.1:54321", "'self' http://127.0.0.1:54321 ws://127.0.0.1:54321"),
     ("https://abc.supabase.co/; script-src *", "'self' https://abc.supabase.co wss://abc.supabase.co")],
)  # fmt: skip
async def test_with_supabase_pages_may_talk_to_its_realtime_too(database: Database, tmp_path: Path, url: str, may: str) -> None:
    settings = settings_for(tmp_path, BACKHAUL_SUPABASE_URL=url, BACKHAUL_SUPABASE_ANON_KEY="anon")
    async for api in running(settings, database):
        policy = policy_of(await api.get("/"))
        assert policy["connect-src"] == may
        assert policy["trusted-types"] == "backhaul-realtime"  # for the address of its script, and for nothing else
        said = (await api.get("/portal-config")).json()
        assert said["supabaseAnonKey"] == "anon"


async def test_answers_are_not_kept_by_anybody_and_pages_are_asked_for_again(api: Api, agent: Actor) -> None:
    """(14.3.2)"""
    for answer in (
        await api.get("/webhook/get-clients", by=agent),
        await api.get("/webhook/get-clients"),
        await api.get("/portal-config"),
    ):
        assert answer.headers["cache-control"] == "no-store"
    page = await api.get("/clients.html")
    assert page.headers["cache-control"] == "no-cache"
    again = await api.line.get("/clients.html", headers={"if-none-match": page.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/webhook/record.csv", "/events/record.csv", "/sandbox/record.csv"])
async def test_what_the_office_answers_is_never_kept_whatever_its_type(database: Database, tmp_path: Path, path: str) -> None:
    """(14.3.2) Also a list that is carried away as a file, whatever its endpoint says of caching."""

    async def record() -> Response:
        return Response("K1234567", media_type="text/csv", headers={"cache-control": "public, max-age=60"})

    async for api in running(settings_for(tmp_path), database):
        api.app.add_api_route(path, record)
        answer = await api.get(path)
        assert (answer.headers["cache-control"], answer.headers["content-type"]) == ("no-store", "text/csv; charset=utf-8")


async def test_text_says_its_encoding(api: Api) -> None:
    """(4.1.1)"""
    pages = ("/", "/docs", "/css/app.css", "/js/core/dom.js", "/favicon.svg", "/metrics", "/js/none.js")
    for page in pages:
        kind = (await api.get(page)).headers["content-type"]
        assert kind == "application/json" or kind.endswith("; charset=utf-8"), page


async def test_over_tls_browsers_are_told_to_use_nothing_else(api: Api) -> None:
    """(3.4.1)"""
    assert "strict-transport-security" not in (await api.get("/")).headers
    api.line.base_url = httpx.URL("https://backhaul.test")
    for path in ("/", "/webhook/get-clients", "/nope"):
        assert (await api.get(path)).headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


async def test_a_portal_that_people_reach_by_tls_alone_is_so_also_behind_a_proxy_that_does_not_say_so(
    database: Database, tmp_path: Path
) -> None:
    """(3.3.1, 3.4.1)"""
    async for api in running(settings_for(tmp_path, BACKHAUL_PUBLIC_URL="https://portal.example.ca"), database):
        credentials = {"username": api.user("driver"), "password": PASSWORD, "use_cookie": True}
        answer = await api.post("/webhook/user-login", credentials)
        assert "strict-transport-security" in answer.headers
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-")
            assert "secure" in cookie.lower().split("; ")


async def test_vendored_files_are_kept_for_good(api: Api) -> None:
    file = next(path for path in share("web", "vendor").rglob("*.css"))
    answer = await api.get("/" + file.relative_to(share("web")).as_posix())
    assert "immutable" in answer.headers["cache-control"]


async def test_nothing_is_shared_with_other_origins(api: Api, agent: Actor) -> None:
    """(3.4.2)"""
    for method in ("GET", "OPTIONS"):
        answer = await api.line.request(
            method, "/webhook/get-clients", headers={"origin": "https://evil.test", "access-control-request-method": "GET"}
        )
        assert "access-control-allow-origin" not in answer.headers


def policy_of(answer: httpx.Response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in parts}


# ── Proxies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def served(settings: Settings, api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """The application as `backhaul serve` serves it, asked from this machine."""
    config = server_config(settings, api.app)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as line:
        yield line
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    ("trusted", "forwarded", "believed"),
    [
        (None, "203.0.113.5", "203.0.113.5"),  # a proxy on this machine
        (None, "198.51.100.9, 203.0.113.5", "203.0.113.5"),  # the first is what the stranger said of themselves
        (None, "127.0.0.1, 203.0.113.5", "203.0.113.5"),
        ("127.0.0.0/8, 10.0.0.0/24", "203.0.113.5, 10.0.0.7", "203.0.113.5"),  # two proxies of ours
        ("10.0.0.7", "203.0.113.5", "127.0.0.1"),  # not from a proxy of ours
    ],
)
async def test_only_the_offices_own_proxies_say_for_whom_they_ask(
    database: Database, tmp_path: Path, trusted: str | None, forwarded: str, believed: str
) -> None:
    """(4.1.3, 15.3.4) By that address strangers are counted, and people found again in the audit log."""
    settings = settings_for(tmp_path, BACKHAUL_PORT="0", **({"BACKHAUL_TRUSTED_PROXIES": trusted} if trusted else {}))
    headers = {"x-forwarded-for": forwarded, "x-forwarded-proto": "https"}
    async for api in running(settings, database):
        async with served(settings, api) as line:
            answer = await line.post("/webhook/user-login", json={"username": "a@b.test", "password": "x"}, headers=headers)
        assert answer.status_code == 403
        assert "server" not in answer.headers
        assert ("strict-transport-security" in answer.headers) is (believed != "127.0.0.1")
        assert api.database.value("select host(ip_address) from audit_logs") == believed


@pytest.mark.parametrize(
    ("lengths", "answers"),
    [(b"content-length: 5", 2),  # two requests, one after the other
     (b"content-length: 5\r\ntransfer-encoding: chunked", 1), (b"content-length: 5\r\ncontent-length: 60", 1),
     (b"transfer-encoding: chunked\r\ntransfer-encoding: identity", 1), (b"transfer-encoding: xchunked", 1),
     (b"content-length: +5", 1)],
)  # fmt: skip
async def test_a_request_with_two_lengths_hides_no_second_one(
    database: Database, tmp_path: Path, lengths: bytes, answers: int
) -> None:
    """(4.2.1) Where a proxy and we could disagree on where a request ends, another could follow inside it."""
    settings = settings_for(tmp_path, BACKHAUL_PORT="0")
    rest = b"0\r\n\r\nGET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
    async for api in running(settings, database):
        async with served(settings, api) as line:
            reader, writer = await asyncio.open_connection("127.0.0.1", line.base_url.port)
            writer.write(b"POST /webhook/logout HTTP/1.1\r\nhost: x\r\n%b\r\n\r\n%b" % (lengths, rest))
            writer.write_eof()
            answered = await reader.read()
            writer.close()
    assert answered.count(b"HTTP/1.1 ") == answers
    assert (b'{"ok":true}' in answered) is (answers == 2)


# ── What a page may know before anybody signs in ────────────────────────────────────────────────────────────────────


async def test_the_configuration_holds_no_secret(database: Database, tmp_path: Path) -> None:
    secret = "swordfish-swordfish-swordfish-swordfish"
    settings = settings_for(
        tmp_path, BACKHAUL_JWT_SECRET=secret, BACKHAUL_QUO_KEY=secret, BACKHAUL_GOOGLE_KEY=secret,
        BACKHAUL_DEMO_PASSWORD=secret, BACKHAUL_DEMO="yes",
    )  # fmt: skip
    async for api in running(settings, database):
        answer = await api.get("/portal-config")
        assert secret not in answer.text
        assert answer.json()["demo"]["users"] == [
            "admin@demo.test",
            "supervisor@demo.test",
            "agent@demo.test",
            "agent2@demo.test",
        ]
        assert answer.json()["standIns"] == []


async def test_the_configuration_of_an_ordinary_installation(api: Api) -> None:
    said = (await api.get("/portal-config")).json()
    minutes = {"admin": 30, "supervisor": 60, "booking_agent": 120, "driver": 120, "client": 120}
    assert said.pop("inactivity") == {role: {"limit_s": limit * 60, "warn_s": 300} for role, limit in minutes.items()}
    assert said == {
        "product": "Backhaul", "supabaseUrl": None, "supabaseAnonKey": None, "pollMs": 30000, "standIns": [], "demo": None,
    }  # fmt: skip


# ── Faults on demand ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_stand_ins_there_are_no_faults_to_set(api: Api, admin: Actor) -> None:
    refused(await api.get("/sandbox/faults", by=admin), 404, "no_stand_ins")
    refused(await api.post("/sandbox/faults", {"service": "quo", "fault": "429"}, by=admin), 404, "no_stand_ins")


async def test_only_admins_set_faults_and_stand_ins_that_do_not_run_are_told(
    database: Database, tmp_path: Path, admin: Actor, supervisor: Actor, agent: Actor
) -> None:
    async for api in running(settings_for(tmp_path, BACKHAUL_STAND_INS="http://127.0.0.1:1"), database):
        order = {"service": "quo", "fault": "429", "times": 1}
        for who in (supervisor, agent):
            refused(await api.post("/sandbox/faults", order, by=who), 403, "role")
            refused(await api.get("/sandbox/faults", by=who), 403, "role")
        said = refused(await api.post("/sandbox/faults", order, by=admin), 502)
        assert "The stand-ins do not answer" in said["message"]
        for bad in ({}, {"service": "quo"}, {**order, "times": 0}, {**order, "times": "x"}, {**order, "service": "x" * 21}):
            refused(await api.post("/sandbox/faults", bad, by=admin), 400, "validation")
        refused(await api.post("/sandbox/faults", b'{"service": "quo", "fault": "ok", "x": "\\ud800"}', by=admin), 400)
        names = ["Google Maps", "Quo", "Slack", "Google Calendar", "the mail server"]
        assert (await api.get("/portal-config")).json()["standIns"] == names


# ── When we fail ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_error_nobody_foresaw_is_a_500_in_the_envelope_with_a_number_to_tell(
    api: Api, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise RuntimeError("secret words")

    monkeypatch.setattr(Store, "person", broken)
    said = refused(await api.get("/webhook/get-failed-tasks", by=agent), 500, "bug")
    assert said["request_id"] in said["todo"]
    assert "secret words" not in json.dumps(said)


@pytest.mark.parametrize(
    "error", [psycopg.OperationalError("no"), psycopg.errors.QueryCanceled("slow"), psycopg.errors.DeadlockDetected("lock")]
)
async def test_a_database_that_does_not_answer_is_a_503_that_says_to_try_again(
    api: Api, agent: Actor, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away(*_: object) -> Any:
        raise error

    monkeypatch.setattr(Store, "person", away)
    answer = await api.post("/webhook/add-client", jane(), by=agent)
    refused(answer, 503, "database")
    assert answer.headers["retry-after"] == "2"


# ── OpenAPI and the pages ───────────────────────────────────────────────────────────────────────────────────────────


ENDPOINTS = (
    "add-client", "get-failed-tasks", "get-all-failed-tasks", "get-failed-tasks-summary", "dismiss-task", "undismiss-task",
    "dismiss-all-tasks", "retry-task", "get-task", "get-clients", "get-client", "user-login", "refresh-token", "logout",
    "process-drive-times", "process-quo-sync",
)  # fmt: skip


async def test_the_description_names_every_endpoint_once_and_every_reference_leads_somewhere(api: Api) -> None:
    described = (await api.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.")
    operations = [(path, method, one) for path, methods in described["paths"].items() for method, one in methods.items()]
    names = Counter(one["operationId"] for _, _, one in operations)
    assert set(names.values()) == {1}
    for path in ENDPOINTS:
        assert f"/webhook/{path}" in described["paths"]
    for path, method, one in operations:
        assert one.get("description") or one.get("summary"), (path, method)
        assert "422" not in one["responses"], f"{path} answers 400, never 422"
    for reference in references(described):
        node: Any = described
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


async def test_the_description_says_which_endpoints_want_a_token(api: Api) -> None:
    described = (await api.get("/openapi.json")).json()
    schemes = described["components"]["securitySchemes"]
    assert {name: (scheme["type"], scheme["scheme"]) for name, scheme in schemes.items()} == {
        "access token": ("http", "bearer"),
        "service key": ("http", "bearer"),
    }
    public = {
        "/webhook/user-login", "/webhook/refresh-token", "/webhook/check-reset-link", "/webhook/reset-password",
        "/webhook/forgot-password", "/webhook/check-setup-link", "/webhook/create-first-admin",
        "/webhook/password-rules", "/portal-config", "/health/live", "/health/ready", "/metrics",
    }  # fmt: skip
    for path, methods in described["paths"].items():
        for one in methods.values():
            assert bool(one.get("security")) is (path not in public), path


async def test_the_description_of_add_client_shows_the_pages_fields(api: Api) -> None:
    described = (await api.get("/openapi.json")).json()
    schema = described["paths"]["/webhook/add-client"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"kNumber", "firstName", "postalCode", "appointmentLength", "secondary_city"} <= schema["properties"].keys()


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def test_pages_and_the_docs_are_served_with_everything_they_name(api: Api) -> None:
    for page in PAGES:
        answer = await api.get(page)
        assert answer.status_code == 200, page
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        named = re.findall(r'(?:src|href)="([^"#?]+)', answer.text)
        assert named
        for address in named:
            if "://" not in address and not address.startswith(("data:", "mailto:")):
                assert (await api.get("/" + address.lstrip("/"))).status_code == 200, (page, address)


@pytest.mark.parametrize(
    "path",
    ["/js/", "/js", "/vendor/", "/css/", "/.git/config", "/.git/", "/../pyproject.toml", "/..%2fpyproject.toml",
     "/%2e%2e/pyproject.toml", "/js/..%2f..%2fsql%2fusers_schema.sql", "/backhaul.toml", "/vendor//etc/passwd"],
)  # fmt: skip
async def test_no_folder_is_listed_and_nothing_but_the_pages_is_there(api: Api, path: str) -> None:
    """(5.3.2, 13.4.1, 13.4.3)"""
    refused(await api.get(path), 404, "no_endpoint")


async def test_a_head_request_is_answered_like_a_get_without_its_body(api: Api) -> None:
    answer = await api.line.head("/clients.html")
    assert (answer.status_code, answer.content) == (200, b"")
