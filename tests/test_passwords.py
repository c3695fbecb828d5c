"""New passwords: which are taken, and what happens to whoever chooses one.

Numbers in brackets are requirements of OWASP ASVS 5.0.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from unicodedata import normalize

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.core.passwords import PasswordRules, Passwords
from backhaul.core.sessions import digest
from backhaul.core.store import Actor
from backhaul.core.testing import Clock
from tests.api_fixtures import PASSWORD, Api, refused

NEW = "seven brown kettles"
GUESS = "a link nobody can guess"
COMMON = "New password is on a list of passwords that attackers try first; choose another"
ABOUT = "New password must not be made of your name, your e-mail address or the name of this program"
JO = ("Margaret Roe-MacIsaac", "margaret.roe@example.test")


async def sign_in(api: Api, username: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post("/webhook/user-login", {"username": username, "password": password})


async def change(api: Api, by: str | Actor | None, current: str = PASSWORD, new: str = NEW, **more: object) -> httpx.Response:
    return await api.post("/webhook/change-password", {"currentPassword": current, "newPassword": new, **more}, by=by)


# ── Which are taken (6.2.1–6.2.12) ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "password",
    [NEW, "x7#kQ9!z", "        ", "пароль на утро", "🐳🐳🐳🐳🐳🐳🐳🐳", "x" * 60 + "y" * 68, "Margaret likes 7 blue boats"],
)
def test_length_is_what_counts_and_any_character_will_do(password: str) -> None:
    """(6.2.1, 6.2.5, 6.2.9, 6.2.10) No rules of composition; spaces and every script are taken; 128 characters are."""
    assert PasswordRules().faults(password, JO) == []


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("seven77", "New password must be at least 8 characters"),
        ("🐳" * 7, "New password must be at least 8 characters"),
        ("x" * 129, "New password must be at most 128 characters"),
        ("password", COMMON), ("Password123!", COMMON), ("iloveyou1", COMMON), ("QWERTYUIOP", COMMON), ("sunshine2026", COMMON),
        ("margaret1", ABOUT), ("MacIsaac!!", ABOUT), ("margaret.roe@example.test", ABOUT), ("backhaul2026", ABOUT),
    ],
)  # fmt: skip
def test_short_common_and_personal_ones_are_refused_in_words(password: str, fault: str) -> None:
    """(6.2.1, 6.2.4, 6.2.11)"""
    assert fault in PasswordRules().faults(password, JO)


def test_the_floor_is_a_setting_and_composition_an_offer() -> None:
    assert PasswordRules(least=15).faults("seven brown ket") == []
    assert PasswordRules(least=15).faults("seven brown ke") == ["New password must be at least 15 characters"]
    assert PasswordRules(composed=True).faults(NEW) != []
    assert PasswordRules(composed=True).faults("Seven brown kettles, 7!") == []


@given(st.sets(st.text(min_size=8, max_size=20), min_size=1, max_size=60), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_password_of_a_breached_list_is_found_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, listed: set[str], end: str, counted: bool
) -> None:
    """(6.2.12)"""
    hashes = sorted(hashlib.sha1(one.encode("utf-8", "replace"), usedforsecurity=False).hexdigest().upper() for one in listed)
    file = tmp_path_factory.mktemp("breached") / "list.txt"
    file.write_text("".join(f"{one}{':3' if counted else ''}{end}" for one in hashes), newline="")
    rules = PasswordRules(breached=file)
    for one in listed:
        wanted = hashlib.sha1(normalize("NFC", one).encode("utf-8", "replace"), usedforsecurity=False).hexdigest().upper()
        assert (COMMON in rules.faults(one)) is (wanted in hashes or COMMON in PasswordRules().faults(one))
    assert COMMON not in rules.faults(NEW)


def test_an_empty_list_breaches_nothing(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("")
    assert PasswordRules(breached=tmp_path / "list.txt").faults(NEW) == []


async def test_one_password_typed_on_two_keyboards_is_one_password() -> None:
    passwords = Passwords()
    assert await passwords.verify(await passwords.hash("café au lait"), "cafe\u0301 au lait")
    assert not await passwords.verify(None, "café au lait")


async def test_what_is_typed_is_checked_whole_and_as_it_is(api: Api) -> None:
    """(6.2.8) Nothing is cut off, trimmed or lower-cased."""
    username, long = api.user("booking_agent"), "  Seven Brown Kettles " + "x" * 100
    token = (await sign_in(api, username)).json()["access_token"]
    assert (await change(api, token, new=long)).status_code == 200
    for wrong in (long.strip(), long[:-1], long.lower(), long[:72]):
        refused(await sign_in(api, username, wrong), 403)
    assert (await sign_in(api, username, long)).status_code == 200


# ── Changing one's own (6.2.2, 6.2.3) ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        {"username": "somebody@else.test", "currentPassword": PASSWORD, "newPassword": NEW},
        {"current_password": PASSWORD, "new_password": NEW, "confirm_password": NEW},
        {"old_password": PASSWORD, "new_password": NEW},
    ],
)
async def test_every_shape_of_the_pages_changes_the_password_of_whoever_asks(api: Api, body: dict[str, str]) -> None:
    username = api.user("driver", "Dee Driver")
    first = (await sign_in(api, username)).json()
    said = (await api.post("/webhook/change-password", body, by=first["access_token"])).json()
    assert (said["success"], said["message"], said["must_change_password"]) == (True, "Password changed successfully", False)
    assert said["user"] == {
        "id": first["userId"], "username": username, "role": "driver", "full_name": "Dee Driver", "email": username,
    }  # fmt: skip
    assert (said["token_type"], said["expires_in"]) == ("Bearer", 900)
    refused(await sign_in(api, username), 403, "credentials")
    assert (await sign_in(api, username, NEW)).status_code == 200


async def test_every_other_session_ends_and_this_one_goes_on_with_new_tokens(api: Api, clock: Clock) -> None:
    """(7.4.3, 7.2.4)"""
    username = api.user("booking_agent")
    here, there = [(await sign_in(api, username)).json() for _ in range(2)]
    said = (await change(api, here["access_token"])).json()
    refused(await api.get("/webhook/get-clients", by=there["access_token"]), 401, "session.ended")
    refused(await api.post("/webhook/refresh-token", {"refresh_token": there["refresh_token"]}), 401)
    for token in (here["access_token"], said["access_token"]):
        assert (await api.get("/webhook/get-clients", by=token)).status_code == 200
    clock.advance(seconds=11)
    assert (await api.post("/webhook/refresh-token", {"refresh_token": said["refresh_token"]})).status_code == 200
    refused(await api.post("/webhook/refresh-token", {"refresh_token": here["refresh_token"]}), 401, "session.ended")


async def test_a_wrong_current_password_is_told_at_its_field_and_guessing_is_limited(api: Api, clock: Clock) -> None:
    """(6.3.1) Whoever finds an open page must not find out the password with it."""
    token = (await sign_in(api, api.user("booking_agent"))).json()["access_token"]
    for _ in range(5):
        said = refused(await change(api, token, current="wrong"), 400, "password.wrong")
        assert said["fields"] == {"currentPassword": "Current password is incorrect"}
    refused(await change(api, token), 429, "limit.password")
    assert (
        api.database.value("select count(*) from audit_logs where action = 'refuse_password' and not success") == 5
    )  # (16.3.1) whoever was in the chair, it is on record
    clock.advance(minutes=4)
    assert (await change(api, token)).status_code == 200


async def test_guesses_at_the_current_password_sent_all_at_once_are_no_more_than_guesses_in_a_row(api: Api) -> None:
    """(6.3.1, 7.5.1) Nor does the right one slip through among them."""
    token = (await sign_in(api, api.user("booking_agent"))).json()["access_token"]
    answers = await asyncio.gather(*(change(api, token, current=f"guess {n}") for n in range(20)), change(api, token))
    codes = [answer.json().get("code") for answer in answers]
    assert codes[:20].count("password.wrong") == 5
    assert codes[-1] == "limit.password"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"currentPassword": "Current password is required", "newPassword": "New password is required"}),
        ({"currentPassword": PASSWORD, "newPassword": NEW, "confirmPassword": NEW + "!"},
         {"confirmPassword": "New passwords do not match"}),
        ({"currentPassword": PASSWORD, "newPassword": "short"}, {"newPassword": "New password must be at least 8 characters"}),
        ({"currentPassword": PASSWORD, "newPassword": PASSWORD},
         {"newPassword": "New password must differ from the current one"}),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_at_each_field_and_changes_nothing(
    api: Api, body: dict[str, str], fields: dict[str, str]
) -> None:
    username = api.user("booking_agent")
    token = (await sign_in(api, username)).json()["access_token"]
    assert refused(await api.post("/webhook/change-password", body, by=token), 400, "validation")["fields"] == fields
    assert (await sign_in(api, username)).status_code == 200


async def test_two_changes_at_once_are_one_change(api: Api) -> None:
    token = (await sign_in(api, api.user("booking_agent"))).json()["access_token"]
    answers = await asyncio.gather(*(change(api, token, new=f"{NEW} {n}") for n in range(4)))
    assert sorted(answer.status_code for answer in answers).count(200) == 1


# ── A password somebody else has made (6.4.1) ───────────────────────────────────────────────────────────────────────


def temporary(api: Api, username: str, hours: int = 24) -> None:
    api.database.all(
        "select private.set_password(u.id, c.password_hash, task_now() + %s * interval '1 hour')"
        " from users u join private.credentials c on c.user_id = u.id where username = %s",
        hours,
        username,
    )


async def test_a_temporary_password_opens_nothing_but_the_change_to_ones_own(api: Api) -> None:
    """(6.4.1) The limited token lasts a quarter of an hour, and for one change."""
    username = api.user("booking_agent", "Jo Roe")
    temporary(api, username)
    said = (await sign_in(api, username)).json()
    assert (said["must_change_password"], said["token_type"], said["expires_in"]) == (True, "limited", 900)
    assert (said["username"], said["userRole"], said["fullName"]) == (username, "booking_agent", "Jo Roe")
    assert not {"access_token", "refresh_token"} & set(said)
    limited = said["limited_token"]
    for path in ("get-clients", "get-failed-tasks", "session-status"):
        refused(await api.get(f"/webhook/{path}", by=limited), 401)
    refused(await api.get("/events", by=limited), 401)
    for path in ("update-activity", "logout-all", "add-client", "retry-task"):
        refused(await api.post(f"/webhook/{path}", {}, by=limited), 401)
    refused(await change(api, limited, current="wrong"), 400, "password.wrong")
    changed = (await change(api, limited, confirmPassword=NEW)).json()
    assert changed["success"] is True
    assert (await api.get("/webhook/get-clients", by=changed["access_token"])).status_code == 200
    refused(await change(api, limited, current=NEW, new=NEW + "!"), 401, "token.expired")
    assert (await sign_in(api, username, NEW)).json()["must_change_password"] is False


async def test_a_temporary_password_not_used_in_time_opens_nothing(api: Api, clock: Clock) -> None:
    username = api.user("booking_agent")
    temporary(api, username)
    clock.advance(hours=24)
    said = refused(await sign_in(api, username), 403, "password.outlived")
    assert "Ask an administrator" in said["todo"]


# ── By a link (6.4.3) ───────────────────────────────────────────────────────────────────────────────────────────────


def link(api: Api, username: str, token: str = GUESS) -> str:
    api.database.all("select private.put_link('reset', id, %s, '1 hour') from users where username = %s", digest(token), username)
    return token


async def reset(api: Api, token: str, new: str = NEW) -> httpx.Response:
    return await api.post("/webhook/reset-password", {"token": token, "newPassword": new, "confirmPassword": new})


async def test_a_link_sets_a_new_password_once_and_ends_every_session(api: Api) -> None:
    """(6.4.3, 7.4.3)"""
    username = api.user("booking_agent", "Jo Roe")
    open_elsewhere = (await sign_in(api, username)).json()
    token = link(api, username)
    assert (await api.post("/webhook/check-reset-link", {"token": token})).json()["fullName"] == "Jo Roe"
    assert refused(await reset(api, token, "short"), 400)["fields"] != {}
    assert (await reset(api, token)).json()["username"] == username
    refused(await reset(api, token, "another fine kettle"), 404, "link.dead")
    refused(await api.get("/webhook/get-clients", by=open_elsewhere["access_token"]), 401)
    assert (await sign_in(api, username, NEW)).status_code == 200


async def test_a_link_unlocks_whoever_was_locked_out(api: Api) -> None:
    username = api.user("booking_agent")
    for _ in range(5):
        await sign_in(api, username, "wrong")
    await reset(api, link(api, username))
    assert (await sign_in(api, username, NEW)).status_code == 200


async def test_old_made_up_and_replaced_links_and_those_of_a_disabled_account_do_nothing(api: Api, clock: Clock) -> None:
    username = api.user("booking_agent")
    first, second = link(api, username, "first"), link(api, username, "second")
    for dead in (first, "made up", ""):
        refused(await reset(api, dead), 404, "link.dead")
    api.database.all("update users set is_active = false where username = %s", username)
    refused(await reset(api, second), 404)
    api.database.all("update users set is_active = true where username = %s", username)
    clock.advance(hours=1)
    refused(await reset(api, second), 404)


async def test_one_link_used_by_two_at_once_serves_one(api: Api) -> None:
    token = link(api, api.user("booking_agent"))
    answers = await asyncio.gather(*(reset(api, token, f"{NEW} {n}") for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]


async def test_guessing_links_is_limited(api: Api) -> None:
    statuses = [(await reset(api, f"guess {n}")).status_code for n in range(22)]
    assert statuses == [404] * 20 + [429] * 2


async def test_a_password_hashed_at_another_cost_is_hashed_anew_at_the_next_sign_in_and_no_session_ends(api: Api) -> None:
    username = api.user("booking_agent")
    first = (await sign_in(api, username)).json()
    hashes = api.database.all("select password_hash from private.credentials")
    assert "m=19456,t=2,p=1" in hashes[0]["password_hash"]  # the fixture's was cheaper
    await sign_in(api, username)
    assert api.database.all("select password_hash from private.credentials") == hashes
    assert (await api.get("/webhook/get-clients", by=first["access_token"])).status_code == 200
