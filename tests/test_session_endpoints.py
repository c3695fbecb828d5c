"""Signing in, renewing and signing out, as the portal's pages and an attacker would try it."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest

from backhaul.core.store import Actor
from backhaul.core.tokens import ACCESS_LIFE, Tokens
from tests.api_fixtures import PASSWORD, Api, refused


async def sign_in(api: Api, username: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post("/webhook/user-login", {"username": username, "password": password})


async def renew(api: Api, token: str) -> httpx.Response:
    return await api.post("/webhook/refresh-token", {"refresh_token": token})


# ── Signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_signing_in_answers_flat_as_the_pages_read_it(api: Api) -> None:
    username = api.user("supervisor", "Sam Supervisor")
    said = (await sign_in(api, f"  {username.upper()} ")).json()
    assert said["success"] is True
    assert (said["username"], said["userRole"], said["fullName"], said["email"]) == (
        username,
        "supervisor",
        "Sam Supervisor",
        username,
    )
    assert (said["must_change_password"], said["token_type"], said["expires_in"]) == (False, "Bearer", 900)
    assert UUID(said["userId"])
    assert (await api.get("/webhook/get-failed-tasks", by=said["access_token"])).status_code == 200
    entry = api.database.one("select action, user_name, host(ip_address) as ip from audit_logs")
    assert entry == {"action": "sign_in", "user_name": "Sam Supervisor", "ip": "203.0.113.7"}


async def test_an_unknown_user_and_a_wrong_password_cannot_be_told_apart(api: Api) -> None:
    username = api.user("booking_agent")
    told = [
        refused(answer, 403, "credentials")
        for answer in (
            await sign_in(api, username, "wrong"),
            await sign_in(api, "nobody@example.test", "wrong"),
            await sign_in(api, "'--", "x"),
        )
    ]
    assert {said["message"] for said in told} == {"Invalid username or password"}
    assert {tuple(sorted(said)) for said in told} == {tuple(sorted(told[0]))}


async def test_both_fields_are_asked_for(api: Api) -> None:
    for body in ({}, {"username": "", "password": ""}, {"username": "a"}, {"password": "b"}, {"username": "  ", "password": "b"}):
        said = refused(await api.post("/webhook/user-login", body), 400)
        assert said["message"] == "Username and password are required"


async def test_a_disabled_account_is_told_so_only_with_the_right_password(api: Api) -> None:
    username = api.user("booking_agent")
    api.database.all("update users set is_active = false where username = %s", username)
    said = refused(await sign_in(api, username), 403, "disabled")
    assert said["message"] == "Account is disabled. Contact administrator."
    refused(await sign_in(api, username, "wrong"), 403, "credentials")


async def test_the_fifth_wrong_password_in_a_row_locks_the_account_for_a_quarter_of_an_hour(api: Api) -> None:
    username = api.user("booking_agent")
    for _ in range(4):
        refused(await sign_in(api, username, "wrong"), 403)
    assert (await sign_in(api, username)).status_code == 200
    for _ in range(5):
        refused(await sign_in(api, username, "wrong"), 403, "credentials")
    assert refused(await sign_in(api, username), 423, "locked")["message"].startswith(
        "Account is locked. Try again in 15 minutes."
    )
    wrong = refused(await sign_in(api, username, "wrong"), 423, "locked")
    assert wrong["message"] == refused(await sign_in(api, username), 423)["message"]  # else guessing could go on behind the lock
    api.database.all("update testing.clock set now = now + interval '14 minutes 30 seconds'")
    assert "Try again in 1 minute." in refused(await sign_in(api, username), 423)["message"]
    api.database.all("update testing.clock set now = now + interval '31 seconds'")
    assert (await sign_in(api, username)).status_code == 200


async def test_guesses_sent_all_at_once_are_no_more_than_guesses_in_a_row(api: Api) -> None:
    username = api.user("booking_agent")
    answers = await asyncio.gather(
        *(sign_in(api, username, f"guess {n}") for n in range(12)), *(sign_in(api, username) for _ in range(3))
    )
    assert sorted(answer.status_code for answer in answers[:12]) == [403] * 5 + [423] * 7
    assert api.database.value("select locked_until > now from private.sign_in_guesses, testing.clock") is True
    refused(await sign_in(api, username), 423, "locked")


async def test_a_right_password_among_many_wrong_ones_does_not_slip_past_the_lock(api: Api) -> None:
    """All guesses are on their way before the first is judged: what counts is the account when a guess has been checked."""
    username = api.user("booking_agent")
    answers = await asyncio.gather(*(sign_in(api, username, f"guess {n}") for n in range(20)), sign_in(api, username))
    assert [answer.status_code for answer in answers].count(200) == 0
    refused(answers[-1], 423, "locked")


async def test_two_tabs_that_sign_in_at_once_are_both_let_in_while_the_password_is_hashed_anew(api: Api) -> None:
    username = api.user("booking_agent")  # with a hash of other costs than today's
    answers = await asyncio.gather(*(sign_in(api, username) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    refused(await sign_in(api, username, "wrong"), 403, "credentials")
    assert api.database.value("select max(failed) from private.sign_in_guesses") == 1


async def test_the_header_of_an_attackers_name_is_no_way_round_the_lock(api: Api) -> None:
    username = api.user("booking_agent")
    for n in range(5):
        await api.post(
            "/webhook/user-login", {"username": username, "password": "wrong"}, headers={"x-forwarded-for": f"10.0.0.{n}"}
        )
    refused(await sign_in(api, username), 423)


# ── Access tokens ───────────────────────────────────────────────────────────────────────────────────────────────────


def _claims(who: Actor, **changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    claims = {
        "iss": "backhaul", "aud": "authenticated", "sub": str(who.id), "role": "authenticated", "user_role": who.role,
        "session_id": str(who.session_id), "type": "full", "iat": now, "exp": now + ACCESS_LIFE,
    }  # fmt: skip
    return {name: value for name, value in {**claims, **changed}.items() if value is not None}


def test_no_two_tokens_are_the_same_not_even_those_of_one_moment(agent: Actor) -> None:
    """A tab tells by them whether another tab has renewed meanwhile."""
    moment = datetime.now(UTC)
    tokens = Tokens("x" * 32, now=lambda: moment)
    assert tokens.issue(agent.id, agent.session_id, agent.role) != tokens.issue(agent.id, agent.session_id, agent.role)


async def test_only_a_whole_token_of_ours_opens_anything(api: Api, agent: Actor) -> None:
    secret = api.app.state.settings.jwt_secret
    good = jwt.encode(_claims(agent), secret, "HS256")
    assert (await api.get("/webhook/get-failed-tasks", by=good)).status_code == 200
    wrong = [
        {"iss": "supabase"}, {"iss": None}, {"aud": "anon"}, {"aud": None}, {"type": "limited"}, {"type": None},
        {"type": "refresh"}, {"sub": None}, {"sub": "1"}, {"sub": ""}, {"session_id": None}, {"session_id": 5},
        {"session_id": "x"}, {"session_id": []}, {"user_role": None}, {"exp": None}, {"exp": 10**18}, {"exp": 10**400},
        {"exp": -(10**400)},
    ]  # fmt: skip
    for changed in wrong:
        token = jwt.encode(_claims(agent, **changed), secret, "HS256")
        refused(await api.get("/webhook/get-failed-tasks", by=token), 401)
    for algorithm, key in (("HS512", secret), ("HS256", secret + "x"), ("none", None)):
        token = jwt.encode(_claims(agent), key, algorithm)
        refused(await api.get("/webhook/get-failed-tasks", by=token), 401, "token.invalid")


async def test_a_token_ends_after_a_quarter_of_an_hour(api: Api, agent: Actor) -> None:
    secret = api.app.state.settings.jwt_secret
    now = datetime.now(UTC)
    for age, code in ((timedelta(minutes=14, seconds=50), None), (timedelta(minutes=15, seconds=1), "token.expired")):
        token = Tokens(secret, now=lambda age=age: now - age).issue(agent.id, agent.session_id, agent.role)
        answer = await api.get("/webhook/get-failed-tasks", by=token)
        if code is None:
            assert answer.status_code == 200
        else:
            refused(answer, 401, code)


async def test_a_token_for_somebody_elses_session_opens_nothing(api: Api, agent: Actor, supervisor: Actor) -> None:
    for user, session in ((agent.id, supervisor.session_id), (agent.id, uuid4()), (uuid4(), agent.session_id)):
        token = api.app.state.tokens.issue(user, session, "admin")
        refused(await api.get("/webhook/get-failed-tasks", by=token), 401)


async def test_a_session_ends_for_every_token_of_it_at_once(api: Api, agent: Actor) -> None:
    first, second = api.token(agent), api.token(agent)
    assert (await api.post("/webhook/logout", {}, by=first)).json()["success"] is True
    said = refused(await api.get("/webhook/get-failed-tasks", by=second), 401)
    assert "signed out" in said["message"]


async def test_signing_out_needs_no_body_and_may_be_repeated(api: Api, agent: Actor) -> None:
    for _ in range(2):
        answer = await api.line.post("/webhook/logout", headers={"authorization": f"Bearer {api.token(agent)}"})
        assert answer.status_code == 200


async def test_a_disabled_account_may_nothing_from_now_on(api: Api) -> None:
    username = api.user("booking_agent")
    said = (await sign_in(api, username)).json()
    api.database.all("update users set is_active = false where username = %s", username)
    refused(await api.get("/webhook/get-failed-tasks", by=said["access_token"]), 401)
    refused(await renew(api, said["refresh_token"]), 401)


async def test_a_session_of_a_week_is_over_after_a_week_however_often_it_was_renewed(api: Api) -> None:
    said = (await sign_in(api, api.user("booking_agent"))).json()
    api.database.all("update testing.clock set now = now + interval '6 days 23 hours'")
    api.database.all("update user_sessions set last_activity_at = task_now()")
    renewed = (await renew(api, said["refresh_token"])).json()
    assert renewed["refresh_expires_in"] == 3600
    api.database.all("update testing.clock set now = now + interval '1 hour'")
    refused(await renew(api, renewed["refresh_token"]), 401, "session.expired")
    refused(await api.get("/webhook/get-failed-tasks", by=renewed["access_token"]), 401)


# ── Renewing ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_renewing_answers_as_the_pages_read_it_and_changes_the_token(api: Api) -> None:
    username = api.user("driver", "Dee Driver")
    first = (await sign_in(api, username)).json()
    said = (await renew(api, first["refresh_token"])).json()
    assert said["success"] is True
    assert said["user"] == {
        "id": first["userId"],
        "username": username,
        "role": "driver",
        "full_name": "Dee Driver",
        "email": username,
    }
    assert (said["token_type"], said["expires_in"], said["refresh_expires_in"]) == ("Bearer", 900, 604800)
    assert said["refresh_token"] != first["refresh_token"]
    assert (await api.get("/webhook/get-failed-tasks", by=said["access_token"])).status_code == 200


async def test_renewing_without_or_with_a_made_up_token(api: Api, agent: Actor) -> None:
    for body in ({}, {"refresh_token": ""}):
        assert refused(await api.post("/webhook/refresh-token", body), 400)["message"] == "Refresh token is required"
    for token in ("x", "\u2028", api.token(agent), "x" * 512):
        assert refused(await renew(api, token), 401)["message"] == "User not found or refresh token invalid"
    refused(await renew(api, "x" * 513), 400)


async def test_two_tabs_may_use_one_token_within_ten_seconds(api: Api) -> None:
    first = (await sign_in(api, api.user("booking_agent"))).json()["refresh_token"]
    answers = await asyncio.gather(*(renew(api, first) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    api.database.all("update testing.clock set now = now + interval '10 seconds'")
    assert (await renew(api, first)).status_code == 200
    for answer in answers:
        assert (await renew(api, answer.json()["refresh_token"])).status_code == 200


async def test_a_token_used_again_later_ends_the_whole_session(api: Api) -> None:
    first = (await sign_in(api, api.user("booking_agent"))).json()["refresh_token"]
    second = (await renew(api, first)).json()
    api.database.all("update testing.clock set now = now + interval '11 seconds'")
    refused(await renew(api, first), 401, "session.ended")
    refused(await renew(api, second["refresh_token"]), 401)
    refused(await api.get("/webhook/get-failed-tasks", by=second["access_token"]), 401)


async def test_no_token_or_password_lies_in_the_database_as_it_was_given(api: Api) -> None:
    said = (await sign_in(api, api.user("booking_agent"))).json()
    for table in ("private.credentials", "private.refresh_tokens", "user_sessions", "audit_logs", "users"):
        for row in api.database.all(f"select to_jsonb(t)::text as row from {table} t"):  # noqa: S608  (names from the line above)
            for secret in (PASSWORD, said["access_token"], said["refresh_token"]):
                assert secret not in row["row"]


async def test_what_opens_a_session_is_random_and_never_the_same(api: Api) -> None:
    """(7.2.3, 7.2.4, 11.5.1) At least 128 bits; signing in again brings another session, and its own tokens."""
    username = api.user("booking_agent")
    said = [(await sign_in(api, username)).json() for _ in range(5)]
    tokens = {one["refresh_token"] for one in said}
    assert len(tokens) == len({one["session_id"] for one in said}) == 5
    assert all(len(urlsafe_b64decode(token + "=")) >= 32 for token in tokens)
    marks = {cookie.value for cookie in api.line.cookies.jar}
    assert all(len(urlsafe_b64decode(f"{mark}=")) >= 32 for mark in marks)


@pytest.mark.parametrize("secret", ["", "x" * 31])
def test_a_short_signing_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Tokens(secret)
