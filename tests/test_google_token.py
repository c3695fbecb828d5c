"""Being let in by Google: what every call to a calendar, and whoever set the key, may rely on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from backhaul.core.errors import Malformed, Misconfigured, OutsideProblem, RateLimited, Transient
from backhaul.core.limits import Limit, OnHold, SharedLimits
from backhaul.core.store import Store
from backhaul.core.testing import Clock, Database
from backhaul.outside.google_token import Key, ServiceAccount, read_key
from tests.api_fixtures import until
from tests.fakes import CountingLimits
from tests.far_google import AT, KEY, USER, FarGoogle, key_file

SCOPE = "https://www.googleapis.com/auth/calendar"
NO_DELEGATION = (
    "Google does not let our service account act for the user whose calendars these are",
    "Domain-wide delegation is missing, or was granted for something else",
    f"The Workspace administrator must grant it to the service account, for exactly {SCOPE}",
)


def account(google: FarGoogle, key: Key = KEY) -> ServiceAccount:
    return ServiceAccount(key, USER, base_url=AT, transport=google, now=lambda: google.now)


async def problem_of(google: FarGoogle) -> OutsideProblem:
    """What a call ends with that cannot be let in; no creation is ever called unknown for it."""
    with pytest.raises(OutsideProblem) as caught:
        await google.calendar.put_calendar("driver:1", "Ana")
    assert google.asked == []
    shown = repr(vars(caught.value)) + str(caught.value)
    for private in (USER, KEY.account, "eyJ"):
        assert private not in shown
    return caught.value


# ── The statement, and the token for it ──


async def test_the_statement_names_account_person_and_purpose_for_an_hour_and_is_signed(google: FarGoogle) -> None:
    await account(google, Key(KEY.account, KEY.private, "kid-1")).token()
    (asked,) = google.tokens
    assert str(asked.url) == f"{AT}/token"
    form = parse_qs(asked.content.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    (statement,) = form["assertion"]
    assert jwt.get_unverified_header(statement) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    audience = "https://oauth2.googleapis.com/token"
    claims = jwt.decode(
        statement,
        KEY.private.public_key(),
        ["RS256"],
        audience=audience,
        options={"verify_exp": False, "verify_iat": False},  # its hour is long past, or yet to come
    )
    issued = int(google.now.timestamp())
    assert claims == {
        "iss": KEY.account, "sub": USER, "scope": SCOPE, "aud": audience, "iat": issued, "exp": issued + 3600
    }  # fmt: skip


async def test_a_token_serves_until_five_minutes_before_its_end(google: FarGoogle) -> None:
    letting_in = account(google)
    first = await letting_in.token()
    google.advance(3299)
    assert await letting_in.token() == first
    google.advance(1)
    assert await letting_in.token() != first
    assert len(google.tokens) == 2


async def test_many_calls_take_one_token(google: FarGoogle) -> None:
    for number in range(3):
        await google.calendar.knows(f"driver:{number}")
    assert len(google.tokens) == 1
    assert len({request.headers["Authorization"] for request in google.requests[1:]}) == 1


async def test_all_who_need_a_token_at_once_wait_for_the_same_one(google: FarGoogle) -> None:
    letting_in = account(google)
    assert len(set(await asyncio.gather(*(letting_in.token() for _ in range(10))))) == 1
    assert len(google.tokens) == 1


async def test_all_who_wait_hear_of_one_failure_and_the_next_asks_anew(google: FarGoogle) -> None:
    google.fails("500", path="/token", times=1)
    letting_in = account(google)
    ended = await asyncio.gather(*(letting_in.token() for _ in range(10)), return_exceptions=True)
    assert {type(one) for one in ended} == {Transient}
    assert len(google.tokens) == 1
    assert await letting_in.token()


async def test_whoever_gives_up_waiting_takes_nothing_from_the_others(google: FarGoogle) -> None:
    google.fails("hold", path="/token")
    letting_in = account(google)
    impatient, patient = (asyncio.create_task(letting_in.token()) for _ in range(2))
    await until(google.app.desk.holding)
    impatient.cancel()
    await asyncio.wait({impatient})
    google.app.desk.release()
    assert await patient
    assert len(google.tokens) == 1


async def test_closing_ends_a_request_for_a_token(google: FarGoogle) -> None:
    google.fails("hold", path="/token")
    letting_in = account(google)
    waiting = asyncio.create_task(letting_in.token())
    await until(google.app.desk.holding)
    await letting_in.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert google.app.desk.holding() == {}


# ── A token that is refused before its time ──


async def test_a_token_refused_before_its_time_is_replaced_once_within_the_call(google: FarGoogle) -> None:
    await google.calendar.knows("driver:1")
    google.app.store.forget_everything()  # as when somebody changes a password
    assert await google.calendar.knows("driver:1") is False
    assert google.asked == ["GET users/me/calendarList"] * 3
    assert len(google.tokens) == 2


async def test_a_fresh_token_refused_as_well_is_for_an_administrator(google: FarGoogle) -> None:
    google.fails("401")
    with pytest.raises(Misconfigured) as caught:
        await google.calendar.knows("driver:1")
    assert (caught.value.code, caught.value.why) == ("calendar.token", "A fresh one was refused as well")
    assert len(google.asked) == 2


async def test_a_token_that_another_call_has_replaced_meanwhile_is_kept(google: FarGoogle) -> None:
    letting_in, refused = account(google), httpx.Response(401)
    flows = [letting_in.async_auth_flow(httpx.Request("GET", AT)) for _ in range(2)]
    sent = {(await anext(flow)).headers["Authorization"] for flow in flows}
    sent_again = {(await flow.asend(refused)).headers["Authorization"] for flow in flows}
    assert (len(sent), len(sent_again)) == (1, 1)
    assert sent != sent_again
    assert len(google.tokens) == 2


# ── Not being let in ──


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("401", Misconfigured, "calendar.key"),
        ("402", Misconfigured, "calendar.delegation"),
        ("403", Misconfigured, "calendar.delegation"),
        ("denied", Misconfigured, "calendar.delegation"),
        ("404", Misconfigured, "calendar.no_way_in"),
        ("429", RateLimited, "calendar.rate_limited"),
        ("500", Transient, "calendar.500"),
        ("503", Transient, "calendar.503"),
        ("html", Transient, "calendar.502"),
        ("timeout", Transient, "calendar.timeout"),
        ("lost", Transient, "calendar.broken"),
    ],
)
async def test_each_refusal_is_the_calendars_and_never_news_of_an_event(
    fault: str, kind: type[OutsideProblem], code: str
) -> None:
    limits = CountingLimits()
    with closing(FarGoogle(limits)) as google:
        google.fails(fault, path="/token")
        problem = await problem_of(google)
    assert (type(problem), problem.code, problem.service) == (kind, code, "Google Calendar")
    assert problem.todo
    assert limits.taken == [("calendar", 1)]
    assert limits.unwell == [("calendar", code)]


async def test_missing_delegation_is_told_with_the_scope_to_grant(google: FarGoogle) -> None:
    google.fails("denied", path="/token")
    problem = await problem_of(google)
    assert (problem.what, problem.why, problem.todo) == NO_DELEGATION


async def test_a_refused_key_is_told_in_googles_words(google: FarGoogle) -> None:
    words = f"Invalid email or User ID: {USER} of {KEY.account}"
    refusal = {"error": "invalid_grant", "error_description": words}
    google.before = lambda request: httpx.Response(400, json=refusal) if request.url.path == "/token" else None
    problem = await problem_of(google)
    assert problem.what == "Google does not accept our service account's key"
    assert problem.why == 'It answered: "invalid_grant · Invalid email or User ID: […] of […]"'
    assert "clock" in problem.todo


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"access_token": ""},
        {"access_token": "x"},
        {"access_token": "x", "expires_in": 10**20},
        {"access_token": "x", "expires_in": 0},
    ],
)
async def test_an_answer_without_a_token_is_unreadable(google: FarGoogle, body: object) -> None:
    google.before = lambda request: httpx.Response(200, json=body) if request.url.path == "/token" else None
    problem = await problem_of(google)
    assert (type(problem), problem.code) == (Malformed, "calendar.unreadable")


async def test_a_request_that_google_calls_wrong_is_for_a_developer(google: FarGoogle) -> None:
    refusal = {"error": "invalid_scope", "error_description": "Empty or missing scope not allowed."}
    google.before = lambda request: httpx.Response(400, json=refusal) if request.url.path == "/token" else None
    problem = await problem_of(google)
    assert (type(problem), problem.code) == (Malformed, "calendar.400")
    assert "Empty or missing scope" in problem.why


async def test_a_refused_key_holds_all_calendars_is_told_once_and_the_first_success_releases_them(
    database: Database, store: Store, clock: Clock
) -> None:
    limits = SharedLimits(store)
    await limits.set(Limit("calendar", 9.0, 60.0))
    held = "select held_code from private.services where name = 'calendar'"
    with closing(FarGoogle(limits)) as google:
        google.fails("denied", path="/token")
        for told, asked in ((Misconfigured, 1), (OnHold, 1)):
            with pytest.raises(told):
                await google.calendar.knows("driver:1")
            assert len(google.tokens) == asked
        clock.advance(seconds=60)
        with pytest.raises(OnHold):  # it went to look
            await google.calendar.knows("driver:1")
        assert len(google.tokens) == 2
        assert database.value(held) == "calendar.delegation"
        google.works()
        clock.advance(seconds=60)
        assert await google.calendar.knows("driver:1") is False
    assert database.value(held) is None


# ── The key itself ──


def pem_of(make: Callable[[], Any]) -> str:
    pem: bytes = make().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def test_a_key_is_read_as_the_console_gives_it() -> None:
    key = read_key(key_file())
    assert (key.account, key.key_id) == (KEY.account, "kid-1")
    assert key.private.private_numbers() == KEY.private.private_numbers()
    assert read_key(key_file(private_key_id=None)).key_id == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("swordfish", "not JSON"),
        ('{"private_key": "swordfish"', "not JSON"),
        ('["swordfish"]', "not the key of a service account"),
        ('{"installed": {"client_secret": "swordfish"}}', "not the key of a service account"),
        (key_file(client_email=None), "client_email"),
        (key_file(client_email="swordfish"), "client_email"),
        (key_file(private_key=None), "private_key"),
        (key_file(private_key=["swordfish"]), "private_key"),
        (key_file(private_key="swordfish"), "cannot be read"),
        (key_file(private_key="-----BEGIN PRIVATE KEY-----swordfish-----END PRIVATE KEY-----"), "cannot be read"),
        (key_file(private_key=pem_of(lambda: ec.generate_private_key(ec.SECP256R1()))), "not an RSA key"),
    ],
)
def test_what_is_wrong_with_a_key_is_told_without_it(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        read_key(text)
    assert "swordfish" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_does_not_show_its_secret() -> None:
    assert str(KEY.private.private_numbers().d) not in repr(KEY)
    assert isinstance(KEY.private, rsa.RSAPrivateKey)
    assert "private" not in repr(KEY)
