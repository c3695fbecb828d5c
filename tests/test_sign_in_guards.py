"""Guessing, flooding, replaying: what keeps a stranger out without keeping anybody else out.

Numbers in brackets are requirements of OWASP ASVS 5.0.
"""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

import httpx
import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from backhaul.core import doors
from backhaul.core.crew import Crew
from backhaul.core.errors import Unauthenticated
from backhaul.core.testing import Clock
from tests.api_fixtures import PASSWORD, Api, refused

COOKIE = {"x-requested-with": "XMLHttpRequest"}


@pytest.fixture
def clock(api: Api) -> Clock:
    return Clock(api.database)


async def sign_in(api: Api, username: str, password: str = PASSWORD, **body: object) -> httpx.Response:
    return await api.post("/webhook/user-login", {"username": username, "password": password, **body})


async def renew(api: Api, token: str) -> httpx.Response:
    return await api.post("/webhook/refresh-token", {"refresh_token": token})


def forget_cookies(api: Api) -> None:
    api.line.cookies.clear()


# ── Locks (6.1.1, 6.3.1, 6.3.8) ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_name_that_nobody_has_locks_like_one_of_ours_and_tells_nothing(api: Api) -> None:
    """(6.3.8)"""
    known, unknown = api.user("booking_agent"), "nobody@example.test"
    told = []
    for name in (known, unknown):
        answers = [await sign_in(api, name, "wrong") for _ in range(6)]
        told.append([(answer.status_code, answer.json()["message"], sorted(answer.json())) for answer in answers])
    assert told[0] == told[1]
    assert [status for status, _, _ in told[0]] == [403] * 5 + [423]


async def test_a_name_that_nobody_has_costs_as_much_work_as_a_wrong_password(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """(6.3.8) One look-up, one hash at the full cost, one more look-up, whoever is asked for: `bench` has the times."""
    looked_at: list[str] = []
    verify = PasswordHasher.verify
    monkeypatch.setattr(PasswordHasher, "verify", lambda self, one, two: (looked_at.append(one), verify(self, one, two))[1])
    username = api.user("booking_agent")
    hashed = await api.app.state.accounts.hash("what Jo really uses 7", {})
    api.database.all("update private.credentials set password_hash = %s", hashed)
    for name in (username, "nobody@example.test"):
        refused(await sign_in(api, name, "wrong"), 403, "credentials")
    ours, nobodys = (extract_parameters(one) for one in looked_at)
    assert ours == nobodys
    assert (ours.type, ours.memory_cost, ours.time_cost, ours.parallelism) == (Type.ID, 19 * 1024, 2, 1)


async def test_behind_the_lock_no_work_is_done_for_a_guess(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """(15.2.2) A flood of guesses at one name costs five hashes in a quarter of an hour. Right or wrong is not even looked at."""
    username = api.user("booking_agent")
    for _ in range(5):
        await sign_in(api, username, "wrong")
    monkeypatch.setattr(PasswordHasher, "verify", lambda *_: pytest.fail("it was looked at"))
    for password in ("wrong", PASSWORD):
        refused(await sign_in(api, username, password), 423, "locked")


async def test_where_strangers_crowd_in_they_are_sent_away_and_a_known_browser_is_let_in(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(2.4.1, 6.1.1, 15.2.2) Neither names nor passwords tell apart who is sent away."""
    username = api.user("booking_agent")
    await sign_in(api, username)
    own = dict(api.line.cookies)
    forget_cookies(api)
    monkeypatch.setattr("backhaul.core.passwords._CREW", Crew("test", hands=1, queue=0))
    for name, password in ((username, PASSWORD), (username, "wrong"), ("nobody@example.test", "wrong")):
        answer = await sign_in(api, name, password)
        refused(answer, 503, "busy")
        assert answer.headers["retry-after"] == "5"
    api.line.cookies.update(own)
    assert (await sign_in(api, username)).status_code == 200


async def test_a_strangers_guesses_never_lock_somebody_out_of_their_own_browser(api: Api) -> None:
    """(6.1.1) Lock-out is not a weapon."""
    username = api.user("booking_agent")
    assert (await sign_in(api, username)).status_code == 200
    own = dict(api.line.cookies)
    forget_cookies(api)
    for _ in range(6):
        last = await sign_in(api, username, "wrong")
    refused(last, 423, "locked")
    refused(await sign_in(api, username), 423, "locked")
    api.line.cookies.update(own)
    assert (await sign_in(api, username)).status_code == 200


async def test_in_a_known_browser_five_wrong_passwords_lock_that_browser_alone(api: Api) -> None:
    username = api.user("booking_agent")
    await sign_in(api, username)
    for _ in range(5):
        refused(await sign_in(api, username, "wrong"), 403)
    refused(await sign_in(api, username), 423, "locked")
    forget_cookies(api)
    assert (await sign_in(api, username)).status_code == 200


async def test_a_browser_known_for_one_person_is_a_strangers_for_another(api: Api) -> None:
    one, other = api.user("booking_agent"), api.user("admin")
    api.user("admin")
    await sign_in(api, one)
    for _ in range(5):
        await sign_in(api, other, "wrong")
    refused(await sign_in(api, other), 423)
    forget_cookies(api)
    refused(await sign_in(api, other), 423)


async def test_a_made_up_mark_of_a_browser_is_worth_nothing(api: Api) -> None:
    username = api.user("booking_agent")
    for n in range(5):
        api.line.cookies.set("backhaul-device", f"guess-{n}", path="/webhook")
        refused(await sign_in(api, username, "wrong"), 403)
        forget_cookies(api)
    refused(await sign_in(api, username), 423)


async def test_a_lock_ends_by_itself_and_a_right_password_clears_the_count(api: Api, clock: Clock) -> None:
    username = api.user("booking_agent")
    for _ in range(5):
        await sign_in(api, username, "wrong")
    clock.advance(minutes=15)
    assert (await sign_in(api, username)).status_code == 200
    forget_cookies(api)
    for _ in range(4):
        refused(await sign_in(api, username, "wrong"), 403)
    assert (await sign_in(api, username)).status_code == 200


async def test_every_sign_in_and_every_refusal_of_one_is_in_the_audit_log(api: Api) -> None:
    """(16.3.1) A name that nobody has is not written down: it may be a password, typed into the wrong field."""
    username = api.user("booking_agent")
    await sign_in(api, username, "wrong")
    await sign_in(api, "my secret password", "x")
    await sign_in(api, username)
    rows = api.database.all(
        "select action, success, error_message, user_id is null as nobody, details from audit_logs order by seq"
    )
    assert [(row["action"], row["success"], row["nobody"]) for row in rows] == [
        ("refuse_sign_in", False, False), ("refuse_sign_in", False, True), ("sign_in", True, False),
    ]  # fmt: skip
    assert rows[0]["error_message"] == "Invalid username or password"
    assert "my secret" not in str(rows)


# ── Floods, from one address (2.4.1) ────────────────────────────────────────────────────────────────────────────────


async def test_spraying_many_names_from_one_address_is_slowed_but_not_for_browsers_known_before(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.core.sessions.SIGN_IN", doors.Door("sign-in", 60, 5, "failed sign-ins"))
    username = api.user("booking_agent")
    await sign_in(api, username)
    own = dict(api.line.cookies)
    forget_cookies(api)
    statuses = [(await sign_in(api, f"{uuid4()}@example.test", "wrong")).status_code for _ in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    said = refused(await sign_in(api, username), 429, "limit.sign-in")
    assert (
        said["message"]
        == "Too many failed sign-ins. Please try again in 1 minute. They came from the same place in a short time."
    )
    api.line.cookies.update(own)
    assert (await sign_in(api, username)).status_code == 200


async def test_right_passwords_cost_an_address_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole office behind one address signs in at eight."""
    monkeypatch.setattr("backhaul.core.sessions.SIGN_IN", doors.Door("sign-in", 1, 2, "failed sign-ins"))
    for username in [api.user("booking_agent") for _ in range(6)]:
        forget_cookies(api)
        assert (await sign_in(api, username)).status_code == 200


async def test_a_door_counts_over_all_processes_and_fills_again(api: Api, clock: Clock) -> None:
    door, store = doors.Door("test", 60, 3, "knocks"), api.app.state.store
    for _ in range(3):
        await door.knock(store, "203.0.113.9")
    with pytest.raises(doors.TooMany) as refusal:
        await door.knock(store, "203.0.113.9")
    assert refusal.value.retry_after == pytest.approx(1)
    await door.knock(store, "203.0.113.10")
    await door.knock(store, "127.0.0.1")
    with pytest.raises(doors.TooMany):
        await door.look(store, "203.0.113.9")
    clock.advance(seconds=2)
    await door.look(store, "203.0.113.9")
    await door.knock(store, "203.0.113.9")
    await door.knock(store, "203.0.113.9")
    with pytest.raises(doors.TooMany):
        await door.knock(store, "203.0.113.9")


@pytest.mark.parametrize(
    ("one", "other", "the_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),  # whoever has one address of such a network has them all
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.9", "203.0.113.9", True),
        ("::ffff:203.0.113.9", "::ffff:203.0.113.10", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
async def test_a_visitor_is_known_by_what_they_cannot_change_at_will(api: Api, one: str, other: str, the_same: bool) -> None:
    door, store = doors.Door("test", 1, 1, "knocks"), api.app.state.store
    await door.knock(store, one)
    if the_same:
        with pytest.raises(doors.TooMany):
            await door.knock(store, other)
    else:
        await door.knock(store, other)
    for machine in ("127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"):  # never limited
        for _ in range(2):
            await door.knock(store, machine)


async def test_names_tried_all_at_once_from_one_address_are_no_more_than_names_tried_in_a_row(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(6.3.1) The right password of one of them does not slip through after the door has shut."""
    monkeypatch.setattr("backhaul.core.sessions.SIGN_IN", doors.Door("sign-in", 1, 5, "failed sign-ins"))
    username = api.user("booking_agent")
    answers = await asyncio.gather(*(sign_in(api, f"{uuid4()}@example.test", "wrong") for _ in range(20)), sign_in(api, username))
    assert [answer.status_code for answer in answers[:20]].count(403) == 5
    refused(answers[-1], 429, "limit.sign-in")


async def test_knocks_at_once_let_in_no_more_than_knocks_in_a_row(api: Api) -> None:
    door, store = doors.Door("test", 1, 5, "knocks"), api.app.state.store
    knocks = await asyncio.gather(*(door.knock(store, "203.0.113.9") for _ in range(20)), return_exceptions=True)
    assert sum(knock is None for knock in knocks) == 5


# ── Renewal: two tabs, and thieves (10.4.5, 7.2.4) ──────────────────────────────────────────────────────────────────


async def test_a_thousand_pairs_of_tabs_renewing_at_once_throw_nobody_out_and_a_thousand_replays_end_every_session(
    api: Api, clock: Clock
) -> None:
    """(10.4.5) Each session's token is used by two tabs at the same moment; later each used token is tried again by a thief."""
    api.database.all(
        "insert into users (username, email, full_name, role)"
        " select name, name, name, 'booking_agent'"
        "   from (select 'tab' || n || '@example.test' from generate_series(1, 1000) n) t (name)"
    )
    api.database.all(
        "with opened as (insert into user_sessions (user_id, expires_at)"
        " select id, task_now() + interval '7 days' from users where username like 'tab%%' returning id)"
        " insert into private.refresh_tokens (token_hash, session_id) select sha256(convert_to(id::text, 'UTF8')), id from opened"
    )
    tokens = [str(row["id"]) for row in api.database.all("select id from user_sessions")]
    sessions = api.app.state.sessions
    turns = asyncio.Semaphore(40)

    async def use(token: str) -> str | None:
        async with turns:
            try:
                return str((await sessions.renew(token)).refresh_token)
            except Unauthenticated as problem:
                return f"refused: {problem}"

    both = await asyncio.gather(*(use(token) for token in tokens for _ in range(2)))
    assert [answer for answer in both if answer is None or answer.startswith("refused")] == []
    assert api.database.value("select count(*) from user_sessions where ended_at is not null") == 0
    clock.advance(seconds=11)
    replays = await asyncio.gather(*(use(token) for token in tokens))
    assert all(answer and answer.startswith("refused: You have signed out") for answer in replays)
    assert api.database.value("select count(*) from user_sessions where ended_because = 'a refresh token was used twice'") == 1000
    assert api.database.value("select count(*) from audit_logs where action = 'reuse_refresh_token'") == 1000
    newest = await asyncio.gather(*(use(str(answer)) for answer in both[:50]))
    assert all(answer and answer.startswith("refused") for answer in newest)  # the whole family is revoked


async def test_made_up_refresh_tokens_are_slowed_and_good_ones_from_the_same_address_are_not_counted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.core.sessions.RENEWAL", doors.Door("renewal", 1, 3, "failed renewals"))
    token = (await sign_in(api, api.user("booking_agent"))).json()["refresh_token"]
    for _ in range(6):
        token = (await renew(api, token)).json()["refresh_token"]
    statuses = [(await renew(api, f"made up {n}")).status_code for n in range(4)]
    assert statuses == [401, 401, 401, 429]


# ── The cookie of our own pages (3.3.1–3.3.4, 3.5.1) ────────────────────────────────────────────────────────────────


async def test_with_the_cookie_no_script_ever_holds_the_refresh_token(api: Api) -> None:
    """(3.3.2, 3.3.4)"""
    answer = await sign_in(api, api.user("booking_agent"), use_cookie=True)
    assert "refresh_token" not in answer.json()
    kept = {one.partition("=")[0]: one.lower() for one in answer.headers.get_list("set-cookie")}
    assert set(kept) == {"backhaul-refresh", "backhaul-device"}
    for cookie in kept.values():
        assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    renewed = await api.post("/webhook/refresh-token", {}, headers=COOKIE)
    assert renewed.status_code == 200
    assert "refresh_token" not in renewed.json()
    assert (await api.get("/webhook/get-failed-tasks", by=renewed.json()["access_token"])).status_code == 200


async def test_over_tls_the_cookie_is_secure_and_named_so(api: Api) -> None:
    """(3.3.1, 3.3.3) With that name browsers take it from this host alone: no neighbour in the domain can plant one."""
    api.line.base_url = httpx.URL("https://backhaul.test")
    answer = await sign_in(api, api.user("booking_agent"), use_cookie=True)
    for cookie in answer.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-backhaul-")
        parts = cookie.lower().split("; ")
        assert {"secure", "path=/"} <= set(parts)
        assert not any(part.startswith("domain") for part in parts)
    assert (await api.post("/webhook/refresh-token", {}, headers=COOKIE)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**COOKIE, "sec-fetch-site": "cross-site"},
        {**COOKIE, "sec-fetch-site": "same-site"},
        {**COOKIE, "origin": "https://evil.test"},
        {**COOKIE, "origin": "null"},
        {"x-requested-with": "evil"},
    ],
)
async def test_another_site_cannot_use_the_cookie(api: Api, headers: dict[str, str]) -> None:
    """(3.5.1)"""
    await sign_in(api, api.user("booking_agent"), use_cookie=True)
    for path in ("/webhook/refresh-token", "/webhook/logout"):
        refused(await api.post(path, {}, headers=headers), 403, "csrf")
    assert (await api.post("/webhook/refresh-token", {}, headers={**COOKIE, "origin": "http://backhaul.test"})).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None])
async def test_another_site_cannot_sign_somebody_in_here(api: Api, kind: str | None) -> None:
    """(3.5.2) What a browser sends for any site without asking us first is not taken for JSON, whatever it holds."""
    body = json.dumps({"username": api.user("booking_agent"), "password": PASSWORD, "use_cookie": True})
    answer = await api.line.post("/webhook/user-login", content=body, headers={"content-type": kind} if kind else {})
    refused(answer, 400)
    assert "set-cookie" not in answer.headers


async def test_signing_out_takes_the_cookie_away_also_when_the_access_token_is_over(api: Api) -> None:
    """(7.4.1)"""
    said = (await sign_in(api, api.user("booking_agent"), use_cookie=True)).json()
    answer = await api.post("/webhook/logout", {}, headers=COOKIE)
    assert answer.status_code == 200
    assert 'backhaul-refresh=""' in answer.headers["set-cookie"]
    refused(await api.get("/webhook/get-failed-tasks", by=said["access_token"]), 401, "session.ended")
    refused(await api.post("/webhook/logout", {}), 401, "token.missing")


async def test_in_one_browser_the_cookie_of_who_came_last_is_not_taken_for_who_was_there(api: Api) -> None:
    """A tab of Alex must not become Sam's because Sam has signed in next to it."""
    alex = (await sign_in(api, api.user("booking_agent"), use_cookie=True)).json()
    sam = (await sign_in(api, api.user("supervisor"), use_cookie=True)).json()
    believing = {"session_id": alex["session_id"]}
    said = refused(await api.post("/webhook/refresh-token", believing, headers=COOKIE), 401, "session.other")
    assert said["message"].startswith("Somebody else has signed in on this browser.")
    renewed = (await api.post("/webhook/refresh-token", {"session_id": sam["session_id"]}, headers=COOKIE)).json()
    assert renewed["user"]["role"] == "supervisor"


# ── What ends a session (7.4.1–7.4.3, 8.3.2) ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("update users set role = 'driver' where username = %s", "your role was changed"),
        ("update private.credentials set password_hash = 'x' where user_id = (select id from users where username = %s)",
         "your password was changed"),
        ("delete from user_sessions where user_id = (select id from users where username = %s)", "not known"),
    ],
)  # fmt: skip
async def test_whoever_changes_an_account_even_at_psql_ends_its_sessions(api: Api, change: str, told: str) -> None:
    username = api.user("booking_agent")
    said = (await sign_in(api, username)).json()
    api.database.all(change, username)  # type: ignore[arg-type]  # one of the three above
    assert told in refused(await api.get("/webhook/get-clients", by=said["access_token"]), 401)["message"]
    refused(await renew(api, said["refresh_token"]), 401)


async def test_signing_out_everywhere_ends_every_session_of_that_person_and_nobody_elses(api: Api) -> None:
    """(7.4.3, 7.5.2)"""
    username, other = api.user("booking_agent"), (await sign_in(api, api.user("driver"))).json()
    mine = [(await sign_in(api, username)).json() for _ in range(3)]
    said = (await api.post("/webhook/logout-all", {}, by=mine[0]["access_token"])).json()
    assert (said["message"], said["sessions_ended"]) == ("Signed out everywhere", 3)
    for session in mine:
        refused(await api.get("/webhook/get-failed-tasks", by=session["access_token"]), 401, "session.ended")
    refused(await api.post("/webhook/logout-all", {}, by=mine[1]["access_token"]), 401)
    assert (await api.get("/webhook/get-failed-tasks", by=other["access_token"])).status_code == 200


async def test_the_last_administrator_is_kept_even_from_two_who_demote_each_other_at_once(api: Api) -> None:
    one, other = api.user("admin"), api.user("admin")

    async def demote(username: str) -> str:
        try:
            await asyncio.to_thread(api.database.all, "update users set role = 'driver' where username = %s", username)
        except Exception as error:
            return str(error).splitlines()[0]
        return "done"

    assert sorted(await asyncio.gather(demote(one), demote(other))) == ["done", "this is the last administrator"]
