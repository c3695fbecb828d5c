"""The profile: what everybody may change about themselves, what asks for the password again, and where they are signed in."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from backhaul.core.store import Actor
from backhaul.core.user_agent import Device, device
from tests.api_fixtures import PASSWORD, Api, everyone, refused

NEEDED = "Current password is required to change e-mail or phone"


async def sign_in(
    api: Api, username: str, agent: str = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0"
) -> dict[str, Any]:
    body = {"username": username, "password": PASSWORD}
    said: dict[str, Any] = (await api.post("/webhook/user-login", body, headers={"user-agent": agent})).json()
    assert said["success"] is True
    return said


async def save(api: Api, by: Actor | str, key: str | None = None, **sent: Any) -> httpx.Response:
    return await api.post("/webhook/update-user-profile", sent, by=by, key=key)


def audit(api: Api, action: str) -> list[dict[str, Any]]:
    return api.database.all("select * from audit_logs where action = %s order by seq", action)


async def jane(api: Api) -> tuple[str, dict[str, Any]]:
    """Somebody signed in: her user name, and the token of her session."""
    username = api.user("booking_agent", "Jane Roe")
    return username, await sign_in(api, username)


# ── Changing it ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_page_saves_all_three_fields_and_is_answered_as_it_reads(api: Api) -> None:
    username, jane_ = await jane(api)
    answer = await save(
        api,
        jane_["access_token"],
        fullName=" Jane  Q. Roe ",
        email="Jane.New@Example.Test",
        phone="902-555-0123",
        currentPassword=PASSWORD,
    )
    said = answer.json()
    user = {"id": jane_["userId"], "fullName": "Jane Q. Roe", "email": "jane.new@example.test", "phone": "+19025550123"}
    assert (answer.status_code, said["success"], said["message"]) == (200, True, "Profile updated successfully")
    assert said["user"] == user
    row = api.database.one("select username, full_name, email, phone from users where username = %s", username)
    assert row == {"username": username, "full_name": "Jane Q. Roe", "email": "jane.new@example.test", "phone": "+19025550123"}
    (entry,) = audit(api, "update_profile")
    assert entry["details"] == {"fields_updated": ["fullName", "email", "phone"]}
    assert (str(entry["entity_id"]), str(entry["user_id"]), entry["entity_type"]) == (jane_["userId"], jane_["userId"], "user")
    assert (await sign_in(api, username))["fullName"] == "Jane Q. Roe"  # the name to sign in with is as it was


@pytest.mark.parametrize("role", ["admin", "supervisor", "booking_agent", "driver", "client"])
async def test_every_role_changes_its_own_record_and_no_other(api: Api, role: str) -> None:
    people = everyone(api.database)
    before = api.database.all("select id, full_name from users order by id")
    answer = await save(
        api, people[role], fullName="New Name", userId=str(people["admin"].id), id=str(people["admin"].id), role="admin"
    )
    assert answer.json()["user"]["id"] == str(people[role].id)
    changed = [row["id"] for row in api.database.all("select id, full_name from users order by id") if row not in before]
    assert changed == [people[role].id]
    assert api.database.value("select role from users where id = %s", people[role].id) == role


async def test_only_the_fields_really_changed_are_named_and_what_is_not_sent_stays(api: Api, agent: Actor) -> None:
    email = api.database.value("select email from users where id = %s", agent.id)
    said = (await save(api, agent, fullName="Alex A. Agent")).json()
    assert said["user"] == {"id": str(agent.id), "fullName": "Alex A. Agent", "email": email, "phone": None}
    said = (await save(api, agent, fullName="Alex B. Agent", email=email.upper(), phone="")).json()
    assert said["message"] == "Profile updated successfully"
    assert [entry["details"]["fields_updated"] for entry in audit(api, "update_profile")] == [["fullName"], ["fullName"]]


async def test_a_save_that_changes_nothing_says_so_and_leaves_no_entry(api: Api, agent: Actor) -> None:
    email = api.database.value("select email from users where id = %s", agent.id)
    for key in (None, "click-1", "click-1"):
        said = (await save(api, agent, key, fullName=agent.name, email=email, phone=None)).json()
        assert (said["success"], said["message"]) == (True, "Everything is as it was; there was nothing to change.")
        assert said["user"]["fullName"] == agent.name
    assert audit(api, "update_profile") == []


async def test_the_same_click_saves_once_and_its_password_is_in_no_row(api: Api) -> None:
    _, jane_ = await jane(api)
    sent = {"fullName": "Jane Roe", "email": "other@example.test", "phone": "", "currentPassword": PASSWORD}
    first = await save(api, jane_["access_token"], "click-1", **sent)
    assert (await save(api, jane_["access_token"], "click-1", **sent)).json() == first.json()
    assert len(audit(api, "update_profile")) == 1
    for row in api.database.all("select to_jsonb(c)::text as row from private.clicks c"):
        assert PASSWORD not in row["row"]


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({}, {}),
        ({"role": "admin"}, {}),
        ({"fullName": ""}, {"fullName": "Full name is required"}),
        ({"fullName": "  \t "}, {"fullName": "Full name is required"}),
        ({"fullName": "\u200b\u2060"}, {"fullName": "Full name is required"}),
        ({"fullName": None}, {"fullName": "Full name is required"}),
        ({"fullName": "x" * 201}, {"fullName": "Full name is longer than 200 characters"}),
        ({"fullName": "Jane\x00Roe"}, {"fullName": "Full name holds characters that cannot be kept"}),
        ({"fullName": "Jane\x1b[31m Roe"}, {"fullName": "Full name holds characters that cannot be kept"}),
        ({"fullName": "Jane \u202eeoR"}, {"fullName": "Full name holds characters that cannot be kept"}),
        ({"fullName": ["Jane"]}, {"fullName": "Full name must be text"}),
        ({"email": ""}, {"email": "E-mail is required"}),
        ({"email": "jane"}, {"email": "E-mail must be a valid address, like jane@example.com"}),
        ({"phone": "12"}, {"phone": "Phone must be in format 902-555-0123"}),
        (
            {"fullName": " ", "email": "@", "phone": "x"},
            {
                "fullName": "Full name is required",
                "email": "E-mail must be a valid address, like jane@example.com",
                "phone": "Phone must be in format 902-555-0123",
            },
        ),
    ],
)
async def test_what_cannot_be_kept_is_refused_at_its_field(
    api: Api, agent: Actor, sent: dict[str, Any], fields: dict[str, str]
) -> None:
    said = refused(await save(api, agent, **sent), 400, "validation")
    assert said.get("fields", {}) == fields
    assert said["errors"] == (list(fields.values()) or ["Full name, e-mail or phone is required"])
    assert audit(api, "update_profile") == []


async def test_an_address_of_somebody_else_is_refused_whatever_its_case(api: Api) -> None:
    other = api.user("driver", "Dee Driver")
    api.database.all("update users set email = 'Dee@Example.Test' where username = %s", other)
    _, jane_ = await jane(api)
    said = refused(
        await save(api, jane_["access_token"], fullName="Jane Two", email="dEE@example.test", currentPassword=PASSWORD), 409
    )
    assert said["message"] == "Email already in use"
    assert said["fields"] == {"email": "Email already in use"}
    assert api.database.value("select full_name from users where id = %s", jane_["userId"]) == "Jane Roe"
    assert audit(api, "update_profile") == []


async def test_two_who_want_one_address_at_once_are_told_apart(api: Api) -> None:
    tokens = [(await jane(api))[1]["access_token"] for _ in range(4)]
    answers = await asyncio.gather(*(save(api, token, email="wanted@example.test", currentPassword=PASSWORD) for token in tokens))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


# ── The password again ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("change", [{"email": "new@example.test"}, {"phone": "902-555-0199"}])
async def test_asvs_7_5_1_how_somebody_is_reached_changes_with_their_password_only(api: Api, change: dict[str, str]) -> None:
    _, jane_ = await jane(api)
    for empty in ({}, {"currentPassword": None}, {"currentPassword": ""}):
        said = refused(await save(api, jane_["access_token"], **change, **empty), 400)
        assert (said["message"], said["fields"]) == (NEEDED, {"currentPassword": NEEDED})
    wrong = refused(await save(api, jane_["access_token"], **change, currentPassword="wrong"), 400, "password.wrong")
    assert wrong["fields"] == {"currentPassword": "Current password is incorrect"}
    assert audit(api, "update_profile") == []
    assert len(audit(api, "refuse_password")) == 1
    assert (await save(api, jane_["access_token"], **change, currentPassword=PASSWORD)).status_code == 200


async def test_asvs_7_5_1_taking_the_phone_off_is_a_change_too(api: Api) -> None:
    _, jane_ = await jane(api)
    api.database.all("update users set phone = '+19025550123' where id = %s", jane_["userId"])
    assert refused(await save(api, jane_["access_token"], phone=""), 400)["fields"] == {"currentPassword": NEEDED}
    assert (await save(api, jane_["access_token"], phone=None, currentPassword=PASSWORD)).json()["user"]["phone"] is None


async def test_asvs_7_5_1_a_password_serves_one_change_of_one_session_for_five_minutes(api: Api) -> None:
    username, here = await jane(api)
    elsewhere = await sign_in(api, username)
    prove = {"fullName": "Jane Proof", "currentPassword": PASSWORD}
    assert (await save(api, here["access_token"], **prove)).status_code == 200  # given although it was not needed
    refused(await save(api, elsewhere["access_token"], phone="902-555-0101"), 400)
    assert (await save(api, here["access_token"], phone="902-555-0101")).status_code == 200
    refused(await save(api, here["access_token"], phone="902-555-0102"), 400)
    assert (await save(api, here["access_token"], **prove)).status_code == 200
    api.database.all("update testing.clock set now = now + interval '5 minutes'")
    refused(await save(api, here["access_token"], phone="902-555-0103"), 400)


async def test_asvs_7_5_1_no_field_of_the_body_can_claim_a_proof(api: Api) -> None:
    _, jane_ = await jane(api)
    claims = dict.fromkeys(("proved", "proved_at", "proven", "current_password_ok", "is_proved"), True)
    refused(await save(api, jane_["access_token"], email="new@example.test", **claims), 400)


async def test_asvs_7_5_1_the_rule_holds_for_whoever_calls_the_database_by_hand(api: Api) -> None:
    _, jane_ = await jane(api)
    claims = {"sub": jane_["userId"], "role": "authenticated", "session_id": jane_["session_id"]}
    with (
        api.database.acting("authenticated", claims) as connection,
        pytest.raises(Exception, match="current password is required"),
    ):
        connection.execute("""select private.save_profile('{"email": "thief@example.test"}')""")
    with api.database.acting("authenticated", claims) as connection, pytest.raises(Exception, match="permission denied"):
        connection.execute("select private.note_proof(%s)", (jane_["session_id"],))


async def test_wrong_passwords_are_counted_and_the_sixth_waits(api: Api) -> None:
    """6.3.1, for the password that is asked for again."""
    _, jane_ = await jane(api)
    for _ in range(5):
        refused(await save(api, jane_["access_token"], phone="902-555-0101", currentPassword="wrong"), 400, "password.wrong")
    for password in ("wrong", PASSWORD):
        said = refused(await save(api, jane_["access_token"], phone="902-555-0101", currentPassword=password), 429)
        assert said["message"].startswith("Too many wrong passwords. Please try again in 3 minutes.")
    api.database.all("update testing.clock set now = now + interval '181 seconds'")
    assert (await save(api, jane_["access_token"], phone="902-555-0101", currentPassword=PASSWORD)).status_code == 200


async def test_a_session_that_has_ended_is_told_nothing_about_a_password(api: Api) -> None:
    _, jane_ = await jane(api)
    await api.post("/webhook/logout", {}, by=jane_["access_token"])
    for password in (PASSWORD, "wrong"):
        refused(await save(api, jane_["access_token"], phone="902-555-0101", currentPassword=password), 401, "session.ended")


async def test_a_new_address_voids_the_links_that_went_to_the_old_one(api: Api) -> None:
    _, jane_ = await jane(api)
    put = "select private.put_link('reset', %s, '\\x01', '1 hour')"
    find = "select count(*) from private.find_link('reset', '\\x01')"
    api.database.value(put, jane_["userId"])
    await save(api, jane_["access_token"], fullName="Jane Two")
    assert api.database.value(find) == 1
    await save(api, jane_["access_token"], email="new@example.test", currentPassword=PASSWORD)
    assert api.database.value(find) == 0


# ── Where somebody is signed in ─────────────────────────────────────────────────────────────────────────────────────

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.1 Mobile/15E148 Safari/604.1"
)


async def profile(api: Api, by: str) -> dict[str, Any]:
    answer = await api.get("/webhook/get-profile", by=by)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def out(api: Api, by: str, where: str = "session", **sent: Any) -> httpx.Response:
    return await api.post(f"/webhook/sign-out-{where}", sent, by=by)


async def test_the_profile_has_ones_own_record_the_rules_and_the_open_sessions(api: Api) -> None:
    username, first = await jane(api)
    api.database.all("update testing.clock set now = now + interval '1 minute'")
    second = await sign_in(api, username, PHONE)
    await sign_in(api, api.user("admin"))
    said = await profile(api, second["access_token"])
    assert {name: said["user"][name] for name in ("id", "username", "fullName", "email", "phone", "role")} == {
        "id": first["userId"], "username": username, "fullName": "Jane Roe", "email": username,
        "phone": None, "role": "booking_agent",
    }  # fmt: skip
    assert said["password_rules"] == {"least": 8, "most": 128, "composed": False}
    assert [(one["id"], one["device"], one["device_kind"], one["ip_address"], one["current"]) for one in said["sessions"]] == [
        (second["session_id"], "Safari on an iPhone", "phone", "203.0.113.7", True),
        (first["session_id"], "Firefox on Linux", "computer", "203.0.113.7", False),
    ]
    assert "proved_at" not in said["sessions"][0]


async def test_asvs_7_5_2_a_session_signed_out_from_another_place_is_refused_at_once(api: Api) -> None:
    username, here = await jane(api)
    there = await sign_in(api, username, PHONE)
    answer = await out(api, here["access_token"], session_id=there["session_id"])
    assert (answer.status_code, answer.json()["message"]) == (200, "Signed out there")
    assert (
        "signed out from another place"
        in refused(await api.get("/webhook/get-profile", by=there["access_token"]), 401)["message"]
    )
    refused(await api.post("/webhook/refresh-token", {"refresh_token": there["refresh_token"]}), 401, "session.ended")
    assert [one["id"] for one in (await profile(api, here["access_token"]))["sessions"]] == [here["session_id"]]
    (entry,) = audit(api, "sign_out_session")
    assert entry["details"] == {"session_id": there["session_id"]}
    again = (await out(api, here["access_token"], session_id=there["session_id"])).json()
    assert (again["success"], again["message"]) == (True, "That session had ended before")
    assert len(audit(api, "sign_out_session")) == 1


async def test_asvs_7_5_2_all_others_end_and_this_one_goes_on(api: Api) -> None:
    username, here = await jane(api)
    others = [await sign_in(api, username) for _ in range(3)]
    stranger = await sign_in(api, api.user("booking_agent"))
    said = (await out(api, here["access_token"], "others")).json()
    assert (said["message"], said["sessions_ended"]) == ("Signed out everywhere else", 3)
    for other in others:
        refused(await api.get("/webhook/get-profile", by=other["access_token"]), 401)
    for token in (here["access_token"], stranger["access_token"]):
        assert len((await profile(api, token))["sessions"]) == 1
    (entry,) = audit(api, "sign_out_others")
    assert entry["details"] == {"sessions_ended": 3}
    assert (await out(api, here["access_token"], "others")).json()["message"] == "You are signed in nowhere else"


async def test_asvs_7_5_2_it_asks_for_the_password_five_minutes_after_it_was_last_given(api: Api) -> None:
    username, here = await jane(api)
    there = await sign_in(api, username)
    api.database.all("update testing.clock set now = now + interval '5 minutes'")
    for where, sent in (("session", {"session_id": there["session_id"]}), ("others", {})):
        said = refused(await out(api, here["access_token"], where, **sent), 400)
        assert said["fields"] == {"currentPassword": "Current password is required to sign out in other places"}
        refused(await out(api, here["access_token"], where, **sent, currentPassword="wrong"), 400, "password.wrong")
    assert (await api.get("/webhook/get-profile", by=there["access_token"])).status_code == 200
    assert (await out(api, here["access_token"], session_id=there["session_id"], currentPassword=PASSWORD)).status_code == 200
    assert (await out(api, here["access_token"], "others")).status_code == 200  # it was given just now


async def test_nobody_ends_or_learns_of_somebody_elses_session(api: Api) -> None:
    _, jane_ = await jane(api)
    _, other = await jane(api)
    unknown = "00000000-0000-4000-8000-000000000000"
    told = [
        refused(await out(api, jane_["access_token"], session_id=one), 404)["message"] for one in (other["session_id"], unknown)
    ]
    assert told[0] == told[1]
    assert (await api.get("/webhook/get-profile", by=other["access_token"])).status_code == 200
    assert audit(api, "sign_out_session") == []


@pytest.mark.parametrize("sent", [{}, {"session_id": None}, {"session_id": ""}, {"session_id": "x"}, {"session_id": 5}])
async def test_a_session_is_named_by_its_id(api: Api, agent: Actor, sent: dict[str, Any]) -> None:
    refused(await api.post("/webhook/sign-out-session", sent, by=agent), 400, "validation")


# ── Browsers in words ───────────────────────────────────────────────────────────────────────────────────────────────

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
_ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "


@pytest.mark.parametrize(
    ("said", "words", "kind"),
    [
        (_WINDOWS + "Chrome/131.0.0.0 Safari/537.36", "Chrome on Windows", "computer"),
        (_WINDOWS + "Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", "Edge on Windows", "computer"),
        (_WINDOWS + "Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0", "Opera on Windows", "computer"),
        (_WINDOWS + "Chrome/130.0.0.0 Safari/537.36 Vivaldi/7.0.3495.10", "Vivaldi on Windows", "computer"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on Windows", "computer"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on Linux", "computer"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on a Mac", "computer"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0", "Firefox on an Android phone", "phone"),
        ("Mozilla/5.0 (Android 15; Tablet; rv:133.0) Gecko/133.0 Firefox/133.0", "Firefox on an Android tablet", "tablet"),
        (_MAC + "Version/18.1 Safari/605.1.15", "Safari on a Mac", "computer"),
        (_MAC.replace("605.1.15", "537.36") + "Chrome/131.0.0.0 Safari/537.36", "Chrome on a Mac", "computer"),
        (_IPHONE + "Version/18.1 Mobile/15E148 Safari/604.1", "Safari on an iPhone", "phone"),
        (_IPHONE + "CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1", "Chrome on an iPhone", "phone"),
        (_IPHONE + "FxiOS/133.0 Mobile/15E148 Safari/605.1.15", "Firefox on an iPhone", "phone"),
        (_IPHONE + "Version/17.0 EdgiOS/131.0.2903.48 Mobile/15E148 Safari/605.1.15", "Edge on an iPhone", "phone"),
        (_IPHONE + "Version/18.1 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", "DuckDuckGo on an iPhone", "phone"),
        (_IPHONE.replace("iPhone;", "iPad;") + "Version/18.1 Mobile/15E148 Safari/604.1", "Safari on an iPad", "tablet"),
        (_IPHONE + "Mobile/15E148", "A browser on an iPhone", "phone"),
        (_ANDROID + "Chrome/131.0.0.0 Mobile Safari/537.36", "Chrome on an Android phone", "phone"),
        (_ANDROID + "Chrome/131.0.0.0 Safari/537.36", "Chrome on an Android tablet", "tablet"),
        (_ANDROID + "Chrome/131.0.0.0 Mobile Safari/537.36 EdgA/131.0.0.0", "Edge on an Android phone", "phone"),
        (_ANDROID + "SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36", "Samsung Internet on an Android phone", "phone"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
         "Chrome on ChromeOS", "computer"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36",
         "Chrome on Linux", "computer"),
        ("curl/8.5.0", "A program (curl)", "program"),
        ("python-httpx/0.28.1", "A program (python-httpx)", "program"),
        ("n8n", "A program (n8n)", "program"),
        ("Mozilla/5.0 (PlayStation; PlayStation 5/6.00)", "An unknown device", "unknown"),
        ("<img src=x onerror=alert(1)>", "An unknown device", "unknown"),
        ("x" * 100_000, "An unknown device", "unknown"),
        ("", "An unknown device", "unknown"),
        (None, "An unknown device", "unknown"),
    ],
)  # fmt: skip
def test_a_browser_is_told_in_words_by_which_its_owner_knows_it(said: str | None, words: str, kind: str) -> None:
    assert device(said) == Device(words, kind)


async def test_an_address_is_not_taken_away(api: Api, agent: Actor) -> None:
    for gone in (None, "", "  "):
        said = refused(await api.post("/webhook/update-user-profile", {"email": gone}, by=agent), 400, "validation")
        assert said["fields"] == {"email": "E-mail is required"}
