"""Whatever is sent, the answer is a clear 4xx in the envelope, nothing is half-done, and the process lives on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from itertools import product
from typing import Any
from uuid import uuid4

import httpx
import pytest

from backhaul.core.store import Actor
from tests.api_fixtures import Api, jane, refused

READS = (
    "get-failed-tasks",
    "get-all-failed-tasks",
    "get-failed-tasks-summary",
    "get-task",
    "get-clients",
    "get-client",
    "get-profile",
)
WRITES = (
    "add-client", "dismiss-task", "undismiss-task", "dismiss-all-tasks", "retry-task",
    "update-user-profile", "sign-out-session", "sign-out-others",
)  # fmt: skip
PUBLIC = ("user-login", "refresh-token", "forgot-password", "check-setup-link", "create-first-admin")
MEGABYTE = 1024 * 1024


# ── Tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _other_ways_in(api: Api, agent: Actor) -> list[str]:
    """Authorization headers that must open nothing."""
    good = api.token(agent)
    head, payload, signature = good.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    return [
        "", "Bearer", "Bearer ", f"Basic {good}", good, "Bearer null", "Bearer undefined", "Bearer a.b.c", "Bearer ....",
        f"Bearer {head}.{payload}.{signature[:-4]}AAAA", f"Bearer {none}.{payload}.", f"Bearer {head}.{payload}.",
        f"Bearer {head}.{payload[:-6]}.{signature}", "Bearer " + "x" * 5000,
    ]  # fmt: skip


async def test_every_endpoint_wants_a_good_token_before_anything_else(api: Api, agent: Actor) -> None:
    for path, header in product([*READS, *WRITES, "logout"], _other_ways_in(api, agent)):
        ask = api.line.get if path in READS else api.line.post
        answer = await ask(f"/webhook/{path}", headers={"authorization": header})
        body = refused(answer, 401)
        assert body["code"] in ("token.missing", "token.invalid")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert api.database.value("select count(*) from user_sessions where ended_at is not null") == 0


@pytest.mark.parametrize("path", ["/events", "/sandbox/faults"])
async def test_the_stream_and_the_faults_want_a_token_too(api: Api, path: str) -> None:
    refused(await api.get(path), 401, "token.missing")


# ── Bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────

NOT_OBJECTS = {
    "empty": b"",
    "broken": b'{"task_id": ',
    "trailing": b"{} {}",
    "array": b"[]",
    "array of one": b'[{"task_id": "x"}]',
    "text": b'"hello"',
    "number": b"17",
    "null": b"null",
    "not UTF-8": b'{"username": "\xff\xfe"}',
    "very deep": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"clientData":' * 50_000 + b"1" + b"}" * 50_000,
    "endless number": b'{"username": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("path", ["add-client", "dismiss-task", "undismiss-task", "retry-task", *PUBLIC])
async def test_a_body_that_is_no_json_object_is_refused_in_plain_words(api: Api, agent: Actor, path: str) -> None:
    for kind, body in NOT_OBJECTS.items():
        said = refused(await api.post(f"/webhook/{path}", body, by=agent), 400, "json")
        assert said["message"] in ("The body is not valid JSON", "The body is not a JSON object"), kind


async def test_a_form_post_is_refused_in_plain_words(api: Api, agent: Actor) -> None:
    for path in ("dismiss-task", "user-login", "retry-task"):
        answer = await api.line.post(
            f"/webhook/{path}", data={"task_id": str(uuid4())}, headers={"authorization": f"Bearer {api.token(agent)}"}
        )
        assert "JSON" in refused(answer, 400)["message"]


async def test_a_body_of_the_wrong_shape_names_the_field(api: Api, agent: Actor) -> None:
    for value in (None, 17, True, "", "x", "K1234567", [], {}, "\0", "\ud800", str(uuid4()) + "0"):
        body = json.dumps({"task_id": value}).encode()
        said = refused(await api.post("/webhook/dismiss-task", body, by=agent), 400, "validation")
        assert "task_id" in said["message"]
    said = refused(await api.post("/webhook/undismiss-task", {"task_ids": str(uuid4())}, by=agent), 400, "validation")
    assert "task_ids" in said["message"]
    refused(await api.post("/webhook/undismiss-task", {"task_ids": [str(uuid4())] * 501}, by=agent), 400, "validation")
    refused(await api.post("/webhook/undismiss-task", {}, by=agent), 400, "validation")
    refused(await api.post("/webhook/dismiss-all-tasks", {"everybody": "perhaps"}, by=agent), 400, "validation")


@pytest.mark.parametrize("path", ["add-client", "user-login", "dismiss-task"])
async def test_a_body_declared_too_large_is_refused_unread(api: Api, agent: Actor, path: str) -> None:
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(40):
            read += 1
            yield b" " * 100_000

    headers = {"authorization": f"Bearer {api.token(agent)}", "content-length": "4000000", "content-type": "application/json"}
    answer = await api.line.post(f"/webhook/{path}", content=pieces(), headers=headers)
    refused(answer, 413, "too_large")
    assert read == 0


@pytest.mark.parametrize("path", ["add-client", "user-login", "dismiss-task"])
async def test_a_body_that_turns_out_too_large_is_refused_while_it_streams(api: Api, agent: Actor, path: str) -> None:
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        yield b"{"
        for _ in range(100):
            read += 1
            yield b" " * 100_000

    headers = {"authorization": f"Bearer {api.token(agent)}", "content-type": "application/json"}
    refused(await api.line.post(f"/webhook/{path}", content=pieces(), headers=headers), 413, "too_large")
    assert read < 20


async def test_a_body_just_within_the_limit_is_read(api: Api, agent: Actor) -> None:
    padded = json.dumps(jane()).encode().ljust(MEGABYTE)
    assert (await api.post("/webhook/add-client", padded, by=agent)).status_code == 200
    refused(await api.post("/webhook/add-client", padded + b" ", by=agent), 413)


# ── Characters and numbers that databases choke on ──────────────────────────────────────────────────────────────────

EVIL = ("\0", "a\0b", "\ud800", "\udfff\ud800", "\x1b[31m", "x" * 100_000)


async def test_characters_nobody_can_store_are_a_fault_of_their_field(api: Api, agent: Actor) -> None:
    fields = ("firstName", "lastName", "phone", "email", "civicAddress", "city", "postalCode", "province", "notes", "kNumber")
    for field, value in product(fields, EVIL):
        said = refused(await api.post("/webhook/add-client", json.dumps(jane(**{field: value})).encode(), by=agent), 400)
        assert list(said["fields"]) == [field]
    assert api.database.value("select count(*) from clients") == 0


async def test_characters_nobody_can_store_are_no_way_in(api: Api) -> None:
    for value in EVIL:
        for body in ({"username": value, "password": "x"}, {"username": "x@example.test", "password": value}):
            answer = await api.post("/webhook/user-login", json.dumps(body).encode())
            assert refused(answer, answer.status_code)["statusCode"] in (400, 403)
        answer = await api.post("/webhook/refresh-token", json.dumps({"refresh_token": value}).encode())
        assert refused(answer, answer.status_code)["statusCode"] in (400, 401)


ODD_PAGES = (
    "q=%00", "q=a%00b", "q=%ED%A0%80", "q=" + "x" * 101, "after=%00%09%00%09" + str(uuid4()), "after=x", "after=%09%09",
    "limit=0", "limit=201", "limit=-1", "limit=x", "limit=1e3", "limit=" + "9" * 5000, "status=gone", "status=%00",
    "after=" + str(uuid4()),
)  # fmt: skip


async def test_odd_questions_for_clients_are_answered_or_refused_but_break_nothing(api: Api, agent: Actor) -> None:
    await api.post("/webhook/add-client", jane(), by=agent)
    for query in ODD_PAGES:
        answer = await api.line.get(f"/webhook/get-clients?{query}", headers={"authorization": f"Bearer {api.token(agent)}"})
        if query == "q=%ED%A0%80":
            assert answer.json()["clients"] == []
        else:
            assert answer.status_code in (400, 404), query
            assert "Input should" not in refused(answer, answer.status_code)["message"]


async def test_a_token_in_the_address_opens_nothing(api: Api, agent: Actor) -> None:
    """(14.2.1) Addresses are kept in histories and in the logs of proxies."""
    token = api.token(agent)
    for name in ("access_token", "token", "authorization", "jwt"):
        refused(await api.get("/webhook/get-clients", **{name: token}), 401, "token.missing")
        refused(await api.line.post(f"/webhook/add-client?{name}={token}", json=jane()), 401, "token.missing")


async def test_what_is_asked_twice_or_in_two_places_is_one_question(api: Api, agent: Actor) -> None:
    """(15.3.7) Of a repeated name the last counts; the address of a save says nothing about its form."""
    headers = {"authorization": f"Bearer {api.token(agent)}"}
    for number in ("K1234567", "K2345678"):
        await api.line.post("/webhook/add-client?kNumber=K9999999&firstName=Eve", json=jane(kNumber=number), headers=headers)
    assert api.database.all("select distinct firstname from clients") == [{"firstname": "Jane"}]
    assert api.database.value("select count(*) from clients where knumber = 'K9999999'") == 0
    answer = await api.line.get("/webhook/get-clients?limit=201&limit=1", headers=headers)
    assert len(answer.json()["clients"]) == 1


async def test_fields_that_are_not_the_forms_own_are_passed_over(api: Api, agent: Actor) -> None:
    """(15.3.3)"""
    chosen = str(uuid4())
    owned = {
        "id": chosen,
        "created_by": chosen,
        "status": "archived",
        "version": 9,
        "home_latitude": 1,
        "openphone_contact_id": "x",
    }
    body = jane(**owned) | owned | {"role": "admin", "user_id": chosen}
    assert (await api.post("/webhook/add-client", body, by=agent)).status_code == 200
    row = api.database.one("select id, status, version, home_latitude, openphone_contact_id from clients")
    assert str(row.pop("id")) != chosen
    assert row == {"status": "active", "version": 1, "home_latitude": None, "openphone_contact_id": None}
    assert api.database.value("select user_id from audit_logs where action = 'create_client'") == agent.id


async def test_odd_questions_for_one_client_are_refused(api: Api, agent: Actor) -> None:
    both = f"id={uuid4()}&knumber=K1234567"
    for query in (
        "",
        "id=x",
        "id=",
        "knumber=",
        "knumber=%00",
        "knumber=K" + "9" * 30,
        "knumber=%ED%A0%80",
        f"id={uuid4()}",
        both,
    ):
        answer = await api.line.get(f"/webhook/get-client?{query}", headers={"authorization": f"Bearer {api.token(agent)}"})
        assert answer.status_code in (400, 404), query
        refused(answer, answer.status_code)


async def test_get_task_wants_a_uuid(api: Api, agent: Actor) -> None:
    for params in ({}, {"id": "x"}, {"id": ""}, {"id": "1; drop table users"}):
        refused(await api.get("/webhook/get-task", by=agent, **params), 400, "validation")


NUMBERS: dict[str, list[Any]] = {
    "appointmentLength": [14, 481, -1, 0, 1.5, 2**31, 2**63, 10**300, "x", "12x", [], {}, True, "NaN", "1e400"],
    "primaryClinicId": ["x", 5, str(uuid4()), [], {}],
    "active": ["perhaps", 7, [], {}],
    "firstName": [True, [], {}, ["Jane"]],
    "notes": [[], {}, "x" * 5001],
}


async def test_values_out_of_range_are_faults_of_their_field(api: Api, agent: Actor) -> None:
    for field, value in ((field, value) for field, values in NUMBERS.items() for value in values):
        said = refused(await api.post("/webhook/add-client", jane(**{field: value}), by=agent), 400)
        assert list(said["fields"]) == [field], (value, said)
        assert "Input should" not in said["message"]
        assert "input should" not in said["message"]
    assert api.database.value("select count(*) from clients") == 0


async def test_numbers_that_json_does_not_know_are_refused(api: Api, agent: Actor) -> None:
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1.0e2000"):
        body = json.dumps(jane(appointmentLength=98765)).encode().replace(b"98765", number)
        refused(await api.post("/webhook/add-client", body, by=agent), 400)


# ── Requests that fit no endpoint ───────────────────────────────────────────────────────────────────────────────────


async def test_an_endpoint_that_is_not_there_is_a_404_whatever_the_method(api: Api) -> None:
    paths = ("/webhook/no-such-thing", "/webhook", "/webhook/", "/webhook/add-client/extra", "/sandbox/x", "/health/x")
    for method, path in product(("GET", "POST", "PUT", "DELETE", "PATCH"), paths):
        refused(await api.line.request(method, path), 404, "no_endpoint")


WRONG_METHODS = (
    ("GET", "add-client", "POST"), ("DELETE", "add-client", "POST"), ("PUT", "dismiss-task", "POST"),
    ("POST", "get-clients", "GET"), ("GET", "user-login", "POST"), ("PATCH", "get-failed-tasks", "GET"),
)  # fmt: skip


async def test_the_wrong_method_is_a_405_that_names_the_right_one(api: Api) -> None:
    for method, path, allowed in WRONG_METHODS:
        answer = await api.line.request(method, f"/webhook/{path}")
        said = refused(answer, 405, "method")
        assert allowed in answer.headers["allow"]
        assert f"It takes {allowed}" in said["message"]


async def test_a_page_that_is_not_there_is_a_404_in_the_envelope(api: Api) -> None:
    for path in (
        "/nope.html",
        "/js/nope.js",
        "/../pyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/css/%00",
        "/%ff",
        "/css",
        "/vendor",
    ):
        refused(await api.line.get(path), 404)


async def test_a_page_is_only_read(api: Api) -> None:
    refused(await api.line.post("/dashboard.html"), 405, "method")


# ── Headers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_idempotency_key_of_an_odd_length_is_refused(api: Api, agent: Actor) -> None:
    for key in ("", "x" * 201):
        answer = await api.post("/webhook/add-client", jane(), by=agent, headers={"idempotency-key": key})
        assert "idempotency-key" in refused(answer, 400, "validation")["message"].lower()


async def test_odd_headers_break_nothing(api: Api, agent: Actor) -> None:
    odd = {"user-agent": "Ä" * 1000, "content-length": "²", "x-forwarded-for": "not an address", "idempotency-key": "ключ"}
    for name, value in odd.items():
        headers = {"authorization": f"Bearer {api.token(agent)}", "content-type": "application/json", name: value.encode()}
        body = json.dumps(jane(kNumber=f"K{abs(hash(name)) % 10**7:07}")).encode()
        assert (await api.line.post("/webhook/add-client", content=body, headers=headers)).status_code == 200


async def test_the_callers_address_may_be_unknown(api: Api, agent: Actor) -> None:
    """Behind a proxy or a Unix socket the server may be told something that is no address; nothing hangs on it."""
    username = api.user("booking_agent")
    for client in (("not an address", 1), ("", 0), ("fe80::1%eth0", 1), ("2001:db8::7", 1)):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app, client=client), base_url="http://x.test") as line:
            answer = await line.post("/webhook/user-login", json={"username": username, "password": "a long enough secret 1"})
            assert answer.status_code == 200, answer.text
            answer = await line.post(
                "/webhook/add-client",
                json=jane(kNumber=f"K{abs(hash(client)) % 10**7:07}"),
                headers={"authorization": f"Bearer {api.token(agent)}"},
            )
            assert answer.status_code == 200, answer.text


async def test_a_caller_who_hangs_up_in_the_middle_is_no_error_of_ours(api: Api, agent: Actor) -> None:
    sent: list[Any] = []
    headers = [(b"authorization", f"Bearer {api.token(agent)}".encode()), (b"content-type", b"application/json")]
    for path in ("/webhook/add-client", "/webhook/dismiss-task"):
        said = iter(
            (
                {"type": "http.request", "body": b'{"kNum', "more_body": True},
                {"type": "http.disconnect"},
                {"type": "http.disconnect"},
            )
        )

        async def receive(said: Any = said) -> Any:
            return next(said)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http", "headers": headers,
            "client": ("203.0.113.7", 1), "server": ("x", 80),
        }  # fmt: skip
        await api.app(scope, receive, send)
    assert not any(message.get("status") == 500 for message in sent)
    assert api.database.value("select count(*) from clients") == 0
