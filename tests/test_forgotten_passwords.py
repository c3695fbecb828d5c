"""Forgotten passwords: what the person, a stranger, and whoever looks after failures may rely on."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
import pytest

from backhaul.core.errors import Misconfigured, Transient
from backhaul.core.store import Actor
from backhaul.core.testing import TestOffice
from backhaul.dispatch.accounts.no_password_api import until_beat
from backhaul.dispatch.office import Office
from tests.api_fixtures import PASSWORD, Api, refused
from tests.fakes import PORTAL, FakeMail

SENT = "If an account exists with that email, a password reset link has been sent."
NEW = "quite another secret 2"


async def ask(api: Api, username: str) -> httpx.Response:
    return await api.post("/webhook/forgot-password", {"username": username})


def token_of(mail: FakeMail, number: int = -1) -> str:
    """The token of the link in a mail."""
    (token,) = re.findall(rf"^{re.escape(PORTAL)}/reset-password\.html#token=([\w-]+)$", mail.sent[number].text, re.MULTILINE)
    return str(token)


def entries(api: Api) -> list[dict[str, Any]]:
    return api.database.all("select * from audit_logs where action = 'request_password_reset' order by seq")


async def reset(api: Api, token: str, new: str = NEW) -> httpx.Response:
    return await api.post("/webhook/reset-password", {"token": token, "newPassword": new, "confirmPassword": new})


# ── Whoever has forgotten theirs ────────────────────────────────────────────────────────────────────────────────────


async def test_the_caller_is_answered_before_the_mail_goes_and_the_link_in_it_sets_a_new_password_once(
    api: Api, office: TestOffice[Office], mail: FakeMail
) -> None:
    username = api.user("booking_agent", "Jane Roe")
    api.database.all("update users set email = 'jane.roe@example.test' where username = %s", username)
    answer = await ask(api, f" {username.upper()} ")
    assert (answer.status_code, answer.json()) == (200, {"success": True, "message": SENT})
    assert mail.sent == []
    assert office.tasks("pending") == ["send_reset_link"]
    assert await office.work() == ["completed"]
    (sent,) = mail.sent
    assert (sent.to, sent.to_name, sent.subject) == ("jane.roe@example.test", "Jane Roe", "Choose a new password")
    assert f"for {username}." in sent.text
    assert "until 11:00 on 23 November 2026 (Halifax time)" in sent.text  # held at 14:00 UTC
    said = (await reset(api, token_of(mail))).json()
    assert (said["success"], said["username"]) == (True, username)
    signed_in = await api.post("/webhook/user-login", {"username": username, "password": NEW})
    assert signed_in.status_code == 200
    refused(await reset(api, token_of(mail)), 404, "link.dead")
    task = office.task("send_reset_link")
    assert (task["entity_type"], task["entity_label"], task["created_by"], task["result"]) == (
        "user",
        "Jane Roe",
        None,
        {"sent": True},
    )


async def test_the_address_of_an_account_will_do_for_its_name(api: Api, office: TestOffice[Office], mail: FakeMail) -> None:
    username = api.user("driver", "Dee Driver")
    api.database.all("update users set email = 'Dee@Home.Example' where username = %s", username)
    await ask(api, "dee@home.example")
    await office.work()
    assert [one.to for one in mail.sent] == ["Dee@Home.Example"]


async def test_the_link_is_good_for_an_hour(api: Api, office: TestOffice[Office], mail: FakeMail) -> None:
    await ask(api, api.user("booking_agent"))
    await office.work(after_s=1800)  # it waited for the mail server; the hour begins when the link is made
    office.clock.advance(minutes=59)
    body = {"token": token_of(mail)}
    assert (await api.post("/webhook/check-reset-link", body)).status_code == 200
    office.clock.advance(minutes=1)
    refused(await api.post("/webhook/check-reset-link", body), 404, "link.dead")


async def test_asking_again_joins_the_mail_that_waits_and_a_later_link_voids_the_earlier(
    api: Api, office: TestOffice[Office], mail: FakeMail
) -> None:
    username = api.user("booking_agent")
    await ask(api, username)
    await ask(api, username)
    assert len(entries(api)) == 2
    assert await office.work() == ["completed"]
    await ask(api, username)
    await office.work()
    assert len(mail.sent) == 2
    refused(await reset(api, token_of(mail, 0)), 404, "link.dead")
    assert (await reset(api, token_of(mail, 1))).status_code == 200


# ── A stranger ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_asvs_6_3_8_a_name_that_nobody_has_gets_the_same_answer_and_no_mail(
    api: Api, office: TestOffice[Office], mail: FakeMail
) -> None:
    disabled = api.user("booking_agent")
    api.database.all("update users set is_active = false where username = %s", disabled)
    told = [await ask(api, name) for name in (api.user("driver"), disabled, "nobody@example.test", "'--", "x")]
    assert {(answer.status_code, answer.text) for answer in told} == {(200, told[0].text)}
    assert {tuple(sorted(set(answer.headers) - {"x-request-id"})) for answer in told} == {
        tuple(sorted(set(told[0].headers) - {"x-request-id"}))
    }
    await office.work()
    assert len(mail.sent) == 1


async def test_asvs_6_3_8_the_answer_comes_at_a_beat_whether_there_is_much_to_do_or_little(api: Api) -> None:
    for name in (api.user("driver"), "nobody@example.test"):
        began = time.monotonic()
        await ask(api, name)
        assert time.monotonic() - began > 0.24, name
    assert {round(spent + until_beat(spent), 6) for spent in (0.0, 0.002, 0.017, 0.249)} == {0.25}
    assert {round(spent + until_beat(spent), 6) for spent in (0.25, 0.4)} == {0.5}


async def test_asvs_6_3_8_the_fourth_request_for_a_name_waits_whether_anybody_has_it_or_not(api: Api) -> None:
    names = (api.user("driver"), "nobody@example.test")
    for name in names:
        for spelling in (name, name.upper(), f" {name} "):
            assert (await ask(api, spelling)).status_code == 200
    told = [refused(await ask(api, name), 429, "limit.reset-of") for name in names]
    assert {said["message"] for said in told} == {"Too many password reset attempts. Please try again in 5 minutes."}
    api.database.all("update testing.clock set now = now + interval '301 seconds'")
    for name in names:
        assert (await ask(api, name)).status_code == 200
        refused(await ask(api, name), 429)


async def test_one_address_cannot_ask_for_everybody(api: Api) -> None:
    api.database.all("select private.knock('reset', '203.0.113.7', 10, 30, 29)")
    assert (await ask(api, "one@example.test")).status_code == 200
    said = refused(await ask(api, "another@example.test"), 429, "limit.reset")
    assert said["message"] == "Too many password reset attempts. Please try again in 1 minute."


async def test_a_request_without_a_name_is_told_so(api: Api) -> None:
    for body in ({}, {"username": ""}, {"username": "  "}):
        assert refused(await api.post("/webhook/forgot-password", body), 400, "validation")["message"] == "E-mail is required"
    refused(await api.post("/webhook/forgot-password", {"username": "x" * 321}), 400, "validation")
    refused(await ask(api, "a\x00b"), 400, "validation")


# ── Whoever investigates, or looks after failures ───────────────────────────────────────────────────────────────────


async def test_each_request_is_in_the_audit_log_with_whose_account_it_was_about(api: Api) -> None:
    username = api.user("booking_agent", "Jane Roe")
    await ask(api, username)
    await ask(api, "nobody@example.test")
    known, unknown = entries(api)
    user = api.database.value("select id from users where username = %s", username)
    assert (known["entity_id"], known["user_id"], known["success"], str(known["ip_address"])) == (user, None, True, "203.0.113.7")
    assert (unknown["entity_id"], unknown["success"], unknown["error_message"]) == (
        None,
        False,
        "No active account has this name",
    )
    assert "nobody@" not in str(unknown)


async def test_no_row_ever_holds_the_token_or_a_word_of_the_mail(api: Api, office: TestOffice[Office], mail: FakeMail) -> None:
    mail.loses_answers = 1
    await ask(api, api.user("booking_agent"))
    await office.work()
    await office.work(after_s=60)
    tables = api.database.all(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'private', 'engine')"
    )
    assert len(mail.sent) == 2
    for table in tables:
        for row in api.database.all(f"select t::text as row from {table['name']} t"):  # noqa: S608  (names from the catalog)
            assert not any(token_of(mail, number) in row["row"] for number in (0, 1)), table["name"]
            assert "reset-password.html" not in row["row"], table["name"]


async def test_a_mail_that_may_have_gone_out_is_sent_again_with_a_link_that_voids_the_first(
    api: Api, office: TestOffice[Office], mail: FakeMail
) -> None:
    await ask(api, api.user("booking_agent"))
    mail.loses_answers = 1
    assert await office.work() == ["again"]
    assert await office.work(after_s=60) == ["completed"]
    assert mail.sent[0].message_id != mail.sent[1].message_id
    refused(await reset(api, token_of(mail, 0)), 404, "link.dead")
    assert (await reset(api, token_of(mail, 1))).status_code == 200


async def test_a_mail_that_cannot_go_out_reaches_supervisors_in_plain_words_and_nobody_else(
    api: Api, office: TestOffice[Office], mail: FakeMail, supervisor: Actor, agent: Actor
) -> None:
    username = api.user("booking_agent", "Jane Roe")
    signed_in = (await api.post("/webhook/user-login", {"username": username, "password": PASSWORD})).json()
    mail.fails(
        error=Misconfigured(
            "The mail server", "The mail server refused our password", "It was changed", "Set it anew", code="mail.535"
        )
    )
    await ask(api, username)
    assert await office.work() == ["failed"]
    (seen,) = (await api.get("/webhook/get-all-failed-tasks", by=supervisor)).json()["data"]
    assert (seen["task_label"], seen["entity_label"]) == ("Send password reset link", "Jane Roe")
    assert seen["error_message"] == "The mail server refused our password. It was changed."
    assert seen["error_hint"] == "Set it anew"
    for other in (agent, signed_in["access_token"]):
        assert (await api.get("/webhook/get-failed-tasks", by=other)).json()["data"] == []
    mail.works()
    answer = await api.post("/webhook/retry-task", {"task_id": seen["id"]}, by=supervisor)
    assert answer.status_code == 200
    await office.work()
    assert (await reset(api, token_of(mail))).status_code == 200


async def test_what_passes_by_itself_is_tried_again_for_a_while(api: Api, office: TestOffice[Office], mail: FakeMail) -> None:
    mail.fails(at=1, error=Transient("The mail server", "The mail server is busy", code="mail.421"))
    await ask(api, api.user("booking_agent"))
    assert await office.work() == ["again"]
    assert await office.work(after_s=10) == ["completed"]


async def test_an_account_disabled_in_the_meantime_gets_no_mail(api: Api, office: TestOffice[Office], mail: FakeMail) -> None:
    username = api.user("booking_agent")
    await ask(api, username)
    api.database.all("update users set is_active = false where username = %s", username)
    assert await office.work() == ["completed"]
    assert mail.sent == []
    assert office.task("send_reset_link")["result"] == {"sent": False}


@pytest.mark.parametrize("name", ["Zoë Ó Briain", "{username} {0}", "O'Neil <b>"])
async def test_a_name_is_only_ever_text(api: Api, office: TestOffice[Office], mail: FakeMail, name: str) -> None:
    await ask(api, api.user("driver", name))
    await office.work()
    assert mail.sent[0].text.startswith(f"Hello {name},\n")
