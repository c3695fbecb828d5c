"""The first administrator: what whoever installs it, and whoever comes too late, may rely on."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from backhaul.core.store import Store
from backhaul.core.testing import Database
from backhaul.dispatch.accounts.first_admin import setup_link
from tests.api_fixtures import Api, refused
from tests.fakes import PORTAL
from tests.test_up import up

NEW = "quite a good secret 2"


async def link(store: Store) -> str:
    """The token of a fresh setup link."""
    made = await setup_link(store, PORTAL)
    assert made is not None
    assert made.startswith(f"{PORTAL}/setup.html#token=")
    return made.partition("#token=")[2]


async def create(api: Api, token: str, **changed: Any) -> httpx.Response:
    sent = {"token": token, "fullName": " Ada  First ", "email": "Ada@Example.Test", "newPassword": NEW, "confirmPassword": NEW}
    return await api.post("/webhook/create-first-admin", sent | changed)


async def test_the_link_makes_an_administrator_who_can_sign_in_and_is_dead_then(api: Api, store: Store) -> None:
    token = await link(store)
    assert (await api.post("/webhook/check-setup-link", {"token": token})).status_code == 200
    said = (await create(api, token)).json()
    assert (said["success"], said["username"]) == (True, "ada@example.test")
    signed_in = (await api.post("/webhook/user-login", {"username": "ada@example.test", "password": NEW})).json()
    assert (signed_in["userRole"], signed_in["fullName"], signed_in["must_change_password"]) == ("admin", "Ada First", False)
    entry = api.database.one("select * from audit_logs where action = 'create_first_admin'")
    assert (str(entry["entity_id"]), entry["user_name"], entry["details"]) == (signed_in["userId"], "Ada First", {})
    refused(await api.post("/webhook/check-setup-link", {"token": token}), 404, "link.dead")
    refused(await create(api, token, email="eve@example.test"), 404, "link.dead")
    assert await setup_link(store, PORTAL) is None


async def test_when_there_is_an_administrator_no_link_opens_anything(api: Api, store: Store) -> None:
    token = await link(store)
    api.user("admin")
    told = refused(await create(api, token), 404, "link.dead")
    assert "there is an administrator" in told["message"]
    assert api.database.value("select count(*) from users") == 1


@pytest.mark.parametrize("role", ["supervisor", "booking_agent", "driver", "client"])
async def test_others_are_no_administrator(api: Api, store: Store, role: str) -> None:
    api.user(role)
    assert (await create(api, await link(store))).status_code == 200


async def test_of_two_who_come_at_once_one_becomes_administrator(api: Api, store: Store) -> None:
    token = await link(store)
    answers = await asyncio.gather(*(create(api, token, email=f"ada{n}@example.test") for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert api.database.value("select count(*) from users where role = 'admin'") == 1


async def test_a_link_lasts_a_day_and_a_newer_one_voids_it(api: Api, store: Store) -> None:
    first, second = await link(store), await link(store)
    refused(await create(api, first), 404, "link.dead")
    api.database.all("update testing.clock set now = now + interval '23 hours 59 minutes'")
    assert (await api.post("/webhook/check-setup-link", {"token": second})).status_code == 200
    api.database.all("update testing.clock set now = now + interval '1 minute'")
    refused(await create(api, second), 404, "link.dead")


async def test_a_link_to_reset_a_password_makes_no_administrator_and_the_other_way_round(api: Api, store: Store) -> None:
    user = api.database.value("select id from users where username = %s", api.user("driver"))
    api.database.all("select private.put_link('reset', %s, sha256('guess'), '1 hour')", user)
    refused(await create(api, "guess"), 404, "link.dead")
    body = {"token": await link(store), "newPassword": NEW, "confirmPassword": NEW}
    refused(await api.post("/webhook/reset-password", body), 404, "link.dead")


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"fullName": ""}, {"fullName": "Full name is required"}),
        ({"email": "ada"}, {"email": "E-mail must be a valid address, like jane@example.com"}),
        ({"email": ""}, {"email": "E-mail is required"}),
        ({"newPassword": "", "confirmPassword": ""}, {"newPassword": "New password is required"}),
        ({"confirmPassword": "another"}, {"confirmPassword": "New passwords do not match"}),
        ({"newPassword": "short", "confirmPassword": "short"}, {"newPassword": "New password must be at least 8 characters"}),
    ],
)
async def test_what_is_wrong_is_told_at_its_field_and_the_link_stays_good(
    api: Api, store: Store, changed: dict[str, str], fields: dict[str, str]
) -> None:
    token = await link(store)
    assert refused(await create(api, token, **changed), 400, "validation")["fields"] == fields
    assert (await create(api, token)).status_code == 200


async def test_asvs_6_2_a_password_made_of_the_own_name_is_refused_here_too(api: Api, store: Store) -> None:
    token = await link(store)
    said = refused(await create(api, token, newPassword="ada@example", confirmPassword="ada@example"), 400, "validation")
    assert "made of your name" in said["fields"]["newPassword"]


async def test_an_account_that_is_there_already_is_not_taken_over(api: Api, store: Store) -> None:
    username = api.user("supervisor", "Sam Supervisor")
    token = await link(store)
    assert refused(await create(api, token, email=username), 409)["fields"] == {"username": "Username already in use"}
    api.database.all("update users set email = 'ada@example.test'")
    assert refused(await create(api, token), 409)["message"] == "Email already in use"
    assert api.database.value("select role from users") == "supervisor"
    sent = {"token": token, "full_name": "Ada First", "username": "new@example.test", "new_password": NEW}
    assert (await api.post("/webhook/create-first-admin", sent)).json()["username"] == "new@example.test"


async def test_made_up_links_are_counted(api: Api) -> None:
    for _ in range(20):
        refused(await create(api, "guess"), 404, "link.dead")
    refused(await create(api, "guess"), 429, "limit.link")


async def test_the_database_keeps_only_the_hash_of_the_token(api: Api, store: Store, database: Database) -> None:
    token = await link(store)
    assert token not in str(database.all("select l::text from private.one_time_links l"))


def test_up_without_a_demonstration_prints_the_link_until_there_is_an_administrator(tmp_path: Path) -> None:
    """As whoever installs it does it: start, follow the link, start again."""
    home = tmp_path / "home"
    with up(home, "--no-demo") as running:
        address = running.hear("ready ").removeprefix("ready ")
        running.hear("nobody can sign in yet")
        printed = running.hear(f"{address}/setup.html#token=")
        assert "create-admin" in running.hear("lost it?")
        token = re.sub(r".*#token=", "", printed)
        sent = {"token": token, "fullName": "Ada First", "email": "ada@example.test", "newPassword": NEW}
        with httpx.Client(base_url=address, trust_env=False) as line:
            assert line.get("/setup.html").status_code == 200
            assert line.post("/webhook/create-first-admin", json=sent).status_code == 200
        assert running.end(signal.SIGINT) == 0
    with up(home, "--no-demo") as running:
        running.hear("state and logs")
        assert not any("setup.html" in line for line in running.said)
    assert token not in "".join(file.read_text() for file in (home / "logs").glob("*.log"))
