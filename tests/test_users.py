"""The administration of users: what an administrator may do to whom, what nobody may, and what the person concerned gets."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from math import log2
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from backhaul.core import passwords
from backhaul.core.errors import Misconfigured, OutcomeUnknown, Unplaceable
from backhaul.core.passwords import temporary_password
from backhaul.core.store import Actor
from backhaul.core.testing import Clock, Database, TestOffice
from backhaul.dispatch.office import Office
from backhaul.dispatch.settings import Settings
from tests.api_fixtures import PASSWORD, Api, everyone, refused, running, settings_for
from tests.fakes import PORTAL, FakeMail

OWN = "what I chose myself 3"
WRITES = ("create-user", "update-user", "delete-user", "password-reset", "unlock-user", "end-user-sessions")
ADMIN_READS = ("get-all-users", "get-mail-route")


async def create(api: Api, admin: Actor, username: str = "Jane@Example.Test", **more: Any) -> httpx.Response:
    return await api.post(
        "/webhook/create-user", {"username": username, "full_name": "Jane Roe", "role": "driver"} | more, by=admin
    )


async def do(api: Api, what: str, user: Actor | UUID | str, by: Actor, **more: Any) -> httpx.Response:
    who = user.id if isinstance(user, Actor) else user
    return await api.post(f"/webhook/{what}", {"id": str(who), **more}, by=by)


async def sign_in(api: Api, username: str, password: str) -> httpx.Response:
    return await api.post("/webhook/user-login", {"username": username, "password": password})


async def listed(api: Api, admin: Actor, user: Actor | UUID | str) -> dict[str, Any]:
    """The user as the list of all shows them."""
    who = str(user.id if isinstance(user, Actor) else user)
    (one,) = [one for one in (await api.get("/webhook/get-all-users", by=admin)).json() if who in (one["id"], one["username"])]
    return dict(one)


def password_in(mail: FakeMail, number: int = -1) -> str:
    (found,) = re.findall(r"^Password: (\S+)$", mail.sent[number].text, re.MULTILINE)
    return str(found)


def audit(database: Database, action: str) -> list[dict[str, Any]]:
    return database.all("select * from audit_logs where action = %s order by seq", action)


# ── Who may ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ["supervisor", "booking_agent", "driver", "client"])
async def test_asvs_8_2_1_nobody_but_an_administrator_looks_after_users(api: Api, role: str) -> None:
    people = everyone(api.database)
    before = api.database.all("select * from users order by id")
    body = {"id": str(people["driver"].id), "username": "new@example.test", "full_name": "N", "role": "admin", "is_active": False}
    for path in WRITES:
        said = refused(await api.post(f"/webhook/{path}", body, by=people[role]), 403)
        assert "It takes one of these roles: admin" in said["why"]
    for path in ADMIN_READS:
        refused(await api.get(f"/webhook/{path}", by=people[role]), 403)
    assert api.database.all("select * from users order by id") == before
    denied = audit(api.database, "permission_denied")
    assert len(denied) == len(WRITES) + len(ADMIN_READS)
    assert {entry["user_id"] for entry in denied} == {people[role].id}


@pytest.mark.parametrize("role", ["supervisor", "booking_agent", "driver", "client"])
def test_asvs_8_2_1_the_database_itself_refuses_everybody_else(database: Database, role: str) -> None:
    people = everyone(database)
    me, other = people[role], people["driver" if role != "driver" else "client"]
    calls: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("select private.create_user('x@example.test', 'X', 'x@example.test', null, 'admin')", ()),
        ('select private.change_user(%s, \'{"role": "admin"}\')', (me.id,)),
        ("select private.change_user(%s, '{\"is_active\": false}')", (other.id,)),
        ("select private.take_password(%s)", (other.id,)),
        ("select private.give_temporary_password(%s, 'x')", (other.id,)),
        ("select private.unlock_user(%s)", (other.id,)),
        ("select private.sign_out(%s)", (other.id,)),
        ("select private.open_sessions(%s)", (other.id,)),
        ("select private.list_users()", ()),
    )
    with database.acting("authenticated", {"sub": me.id, "session_id": me.session_id}) as connection:
        for call, params in calls:
            connection.execute("savepoint before")
            with pytest.raises(psycopg.Error, match="only administrators look after users") as error:
                connection.execute(call.encode(), params)
            assert error.value.sqlstate == "BT403"
            connection.execute("rollback to before")


async def test_a_stranger_is_asked_to_sign_in(api: Api) -> None:
    for path in WRITES:
        refused(await api.post(f"/webhook/{path}", {}), 401)
    for path in (*ADMIN_READS, "get-booking-agent-list"):
        refused(await api.get(f"/webhook/{path}"), 401)


# ── The list ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_everybody_is_listed_bare_and_by_name_with_locks_and_sessions(api: Api, admin: Actor, clock: Clock) -> None:
    username = api.user("booking_agent", "Zoe Agent")
    for _ in range(5):
        await sign_in(api, username, "wrong")
    told = (await api.get("/webhook/get-all-users", by=admin)).json()
    assert [one["full_name"] for one in told] == ["Ada Admin", "Zoe Agent"]
    assert told[0] == {
        "id": str(admin.id), "username": told[0]["username"], "full_name": "Ada Admin", "email": told[0]["username"],
        "phone": None, "role": "admin", "is_active": True, "must_change_password": False, "last_login": None,
        "created_at": "2026-11-23T14:00:00Z",
        "failed_login_attempts": 0, "locked_until": None, "open_sessions": 1, "temporary_until": None,
        "driver_id": None, "client_id": None, "linked_to": None,
    }  # fmt: skip
    assert (told[1]["failed_login_attempts"], told[1]["locked_until"]) == (5, "2026-11-23T14:15:00Z")
    clock.advance(minutes=15)
    assert (await listed(api, admin, username))["locked_until"] is None


async def test_who_may_look_after_a_booking_is_told_to_supervisors_and_administrators(api: Api) -> None:
    people = everyone(api.database)
    gone = api.database.person("booking_agent", "Gone Agent")
    api.database.all("update users set is_active = false where id = %s", gone.id)
    expected = [people[role].id for role in ("admin", "booking_agent", "supervisor")]
    for path in ("get-booking-agent-list", "get-booking-agents"):
        for role in ("admin", "supervisor"):
            said = (await api.get(f"/webhook/{path}", by=people[role])).json()
            assert (said["success"], [UUID(one["id"]) for one in said["booking_agents"]]) == (True, expected)
            assert {"id", "full_name", "username", "role"} == said["booking_agents"][0].keys()
        for role in ("booking_agent", "driver", "client"):
            refused(await api.get(f"/webhook/{path}", by=people[role]), 403, "role")


@pytest.mark.parametrize(
    ("env", "sends", "folder"),
    [({"BACKHAUL_SMTP_URL": "smtp://mail.example.test:587"}, True, None), ({}, False, "mail"),
     ({"BACKHAUL_STAND_INS": "http://127.0.0.1:1"}, False, "stand-ins/mail")],
)  # fmt: skip
async def test_an_administrator_is_told_whether_mails_go_out_or_where_they_lie(
    api: Api, admin: Actor, env: dict[str, str], sends: bool, folder: str | None
) -> None:
    settings: Settings = settings_for(api.app.state.settings.home, **env)
    api.app.state.settings = settings
    said = (await api.get("/webhook/get-mail-route", by=admin)).json()
    kept_in = str(settings.home / folder) if folder else None
    assert said == {"success": True, "sends": sends, "kept_in": kept_in, "stand_ins": "BACKHAUL_STAND_INS" in env}


# ── create-user ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_account_is_saved_at_once_and_its_person_invited_afterwards(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    said = (await create(api, admin, " Jane@Example.Test ", phone="902-555-0123")).json()
    assert said["success"] is True
    assert said["message"] == "Account created. An invitation goes to jane@example.test in the background."
    assert mail.sent == []
    jane = await listed(api, admin, said["user_id"])
    told = ("username", "email", "full_name", "phone", "role", "is_active", "must_change_password", "temporary_until")
    assert [jane[name] for name in told] == [
        "jane@example.test", "jane@example.test", "Jane Roe", "+19025550123", "driver", True, True, None,
    ]  # fmt: skip
    (entry,) = audit(api.database, "create_user")
    assert (entry["user_id"], str(entry["entity_id"])) == (admin.id, said["user_id"])
    assert entry["details"] == {"username": "jane@example.test", "role": "driver", "is_active": True}

    assert await office.work() == ["completed"]
    (sent,) = mail.sent
    assert (sent.to, sent.to_name, sent.subject) == ("jane@example.test", "Jane Roe", "Your Backhaul account")
    assert f"\n{PORTAL}\n\nUsername: jane@example.test\nPassword: {password_in(mail)}\n" in sent.text
    assert "until 10:00 on 24 November 2026 (Halifax time)" in sent.text  # held at 14:00 UTC
    assert (await listed(api, admin, said["user_id"]))["temporary_until"] == "2026-11-24T14:00:00Z"
    task = office.task("send_invitation")
    assert (task["entity_label"], task["created_by"]) == ("Jane Roe", admin.id)
    assert task["result"] == {"sent": True, "good_until": "2026-11-24T14:00:00Z"}


async def test_a_username_is_given_once_whatever_its_case(api: Api, admin: Actor) -> None:
    assert (await create(api, admin)).status_code == 200
    said = refused(await create(api, admin, "JANE@example.test"), 409)
    assert said["fields"] == {"username": "Username already in use"}
    api.database.all("update users set email = 'other@example.test' where username = 'jane@example.test'")
    assert refused(await create(api, admin, "other@example.test"), 409)["fields"] == {"email": "Email already in use"}
    assert api.database.value("select count(*) from audit_logs where action = 'create_user'") == 1


async def test_every_fault_of_a_new_account_is_told_at_its_field(api: Api, admin: Actor) -> None:
    said = refused(
        await create(api, admin, "jane", full_name=" ", role="king", phone="12", is_active="perhaps"), 400, "validation"
    )
    assert said["fields"] == {
        "username": "E-mail must be a valid address, like jane@example.com",
        "full_name": "Full name is required",
        "phone": "Phone must be in format 902-555-0123",
        "role": "Role must be one of admin, supervisor, booking_agent, driver, client",
        "is_active": "Active must be yes or no",
    }
    assert refused(await api.post("/webhook/create-user", {}, by=admin), 400)["fields"].keys() == {
        "username",
        "full_name",
        "role",
    }


async def test_the_same_click_creates_one_account_and_one_invitation(api: Api, office: TestOffice[Office], admin: Actor) -> None:
    body = {"username": "jane@example.test", "full_name": "Jane Roe", "role": "driver"}
    first, second = [await api.post("/webhook/create-user", body, by=admin, key="click-1") for _ in range(2)]
    assert first.json() == second.json()
    assert office.tasks("pending") == ["send_invitation"]


async def test_an_account_that_begins_deactivated_invites_nobody_until_it_is_activated(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    said = (await create(api, admin, is_active=False)).json()
    assert office.tasks("pending") == []
    assert "no invitation" in said["message"]
    said = (await do(api, "update-user", said["user_id"], admin, is_active=True)).json()
    assert said["message"] == (
        "Jane Roe's account is active again. A new temporary password goes to jane@example.test in the background."
    )
    await office.work()
    assert (await sign_in(api, "jane@example.test", password_in(mail))).json()["must_change_password"] is True


async def test_a_password_given_by_an_administrator_is_temporary_and_needs_no_mail(
    api: Api, office: TestOffice[Office], admin: Actor, clock: Clock
) -> None:
    said = (await create(api, admin, password="handed over 47")).json()
    assert "24 hours" in said["message"]
    assert office.tasks("pending") == []
    assert (await sign_in(api, "jane@example.test", "handed over 47")).json()["must_change_password"] is True
    clock.advance(hours=24)
    refused(await sign_in(api, "jane@example.test", "handed over 47"), 403, "password.outlived")


async def test_a_password_that_is_easily_guessed_is_refused_and_nothing_is_saved(api: Api, admin: Actor) -> None:
    for weak in ("short", "password1", "jane roe", "x" * 129):
        said = refused(await create(api, admin, password=weak), 400, "validation")
        assert said["fields"].keys() == {"password"}
        assert weak not in str(said)
    assert api.database.value("select count(*) from users where full_name = 'Jane Roe'") == 0


async def test_a_password_given_by_an_administrator_meets_the_rules_of_this_installation(
    database: Database, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, BACKHAUL_PASSWORD_LEAST="15", BACKHAUL_PASSWORD_COMPOSED="yes")
    async with asynccontextmanager(running)(settings, database) as strict:
        admin = database.person("admin")
        for unfit, why in (("Handed over 4!", "at least 15 characters"), ("handed over to jill", "a digit and a sign")):
            said = refused(await create(strict, admin, password=unfit), 400, "validation")
            assert why in said["fields"]["password"]
        assert database.value("select count(*) from users where username = 'jane@example.test'") == 0
        assert (await create(strict, admin, password="Handed over to Jill, 47!")).status_code == 200


# ── update-user ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_only_what_really_changed_is_written_down_with_the_roles_before_and_after(api: Api, admin: Actor) -> None:
    agent = api.database.person("booking_agent", "Alex Agent")
    said = (await do(api, "update-user", agent, admin, full_name="Alex Agent", phone="902-555-0123", role="supervisor")).json()
    assert said["fields_updated"] == ["phone", "role"]
    assert said["message"] == "Alex Agent is saved. With the new role they must sign in again."
    (entry,) = audit(api.database, "update_user")
    assert entry["details"] == {"fields_updated": ["phone", "role"], "role": {"from": "booking_agent", "to": "supervisor"}}
    assert (await listed(api, admin, agent))["phone"] == "+19025550123"
    await do(api, "update-user", agent, admin, phone=None)
    assert (await listed(api, admin, agent))["phone"] is None
    assert audit(api.database, "update_user")[1]["details"] == {"fields_updated": ["phone"]}


async def test_asvs_8_3_2_a_changed_role_and_a_deactivated_account_count_at_once(api: Api, admin: Actor) -> None:
    agent, driver = api.database.person("booking_agent"), api.database.person("driver")
    assert (await api.get("/webhook/get-clients", by=agent)).status_code == 200
    await do(api, "update-user", agent, admin, role="driver")
    refused(await api.get("/webhook/get-clients", by=agent), 401, "session.ended")
    await do(api, "update-user", driver, admin, is_active=False)
    refused(await api.get("/webhook/get-failed-tasks", by=driver), 401, "disabled")


async def test_what_is_not_sent_or_the_same_changes_nothing_and_is_not_written_down(api: Api, admin: Actor) -> None:
    agent = api.database.person("booking_agent", "Alex Agent")
    for same in ({}, {"full_name": " Alex  Agent "}, {"full_name": None, "role": None, "is_active": None, "email": None}):
        said = (await do(api, "update-user", agent, admin, **same)).json()
        assert (said["success"], said["fields_updated"]) == (True, [])
    assert audit(api.database, "update_user") == []
    assert (await listed(api, admin, agent))["open_sessions"] == 1


async def test_every_fault_of_a_change_is_told_and_nothing_is_changed(api: Api, admin: Actor) -> None:
    agent = api.database.person("booking_agent", "Alex Agent")
    wrong = {"full_name": "", "email": "x", "phone": "1", "role": "", "is_active": "perhaps"}
    assert refused(await do(api, "update-user", agent, admin, **wrong), 400)["fields"].keys() == wrong.keys()
    for missing in ({}, {"id": ""}, {"id": "7"}):
        refused(await api.post("/webhook/update-user", missing | {"role": "admin"}, by=admin), 400, "validation")
    refused(await do(api, "update-user", uuid4(), admin, role="driver"), 404)
    taken = (await listed(api, admin, admin))["email"]
    assert refused(await do(api, "update-user", agent, admin, email=taken.upper()), 409)["fields"] == {
        "email": "Email already in use"
    }
    assert (await listed(api, admin, agent))["role"] == "booking_agent"


# ── delete-user ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deleted_user_is_out_at_once_and_their_history_stays(api: Api, admin: Actor) -> None:
    username = api.user("booking_agent", "Jane Roe")
    token = (await sign_in(api, username, PASSWORD)).json()["access_token"]
    user_id = (await listed(api, admin, username))["id"]
    said = (await api.post("/webhook/delete-user", {"userId": user_id, "username": username}, by=admin)).json()
    assert said["message"] == (
        "Jane Roe's account is deactivated now. It stays, with all they have done, and can be activated again."
    )
    refused(await api.get("/webhook/get-failed-tasks", by=token), 401, "disabled")
    refused(await sign_in(api, username, PASSWORD), 403, "disabled")
    assert [entry["user_id"] for entry in audit(api.database, "sign_in")] == [UUID(user_id)]
    (entry,) = audit(api.database, "deactivate_user")
    assert (str(entry["entity_id"]), entry["details"]) == (user_id, {"username": username, "role": "booking_agent"})
    assert "was deactivated already" in (await do(api, "delete-user", user_id, admin)).json()["message"]
    assert len(audit(api.database, "deactivate_user")) == 1

    assert (await do(api, "update-user", user_id, admin, is_active=True)).json()[
        "message"
    ] == "Jane Roe's account is active again."
    assert (await sign_in(api, username, PASSWORD)).status_code == 200


async def test_a_user_whom_nobody_knows_or_names_is_said_to_be_unknown(api: Api, admin: Actor) -> None:
    for path in ("delete-user", "password-reset", "unlock-user", "end-user-sessions"):
        refused(await api.post(f"/webhook/{path}", {"userId": str(uuid4())}, by=admin), 404, "user.unknown")
        refused(await api.post(f"/webhook/{path}", {"username": "nobody@example.test"}, by=admin), 404, "user.unknown")
        for nobody in ({}, {"id": ""}, {"id": "1"}, {"username": " "}):
            refused(await api.post(f"/webhook/{path}", nobody, by=admin), 400, "validation")


async def test_nobody_takes_their_own_rights_away(api: Api, admin: Actor) -> None:
    api.database.person("admin", "Other Admin")
    me = str(admin.id)
    for path, change in (("update-user", {"role": "supervisor"}), ("update-user", {"is_active": False}), ("delete-user", {})):
        said = refused(await do(api, path, me, admin, **change), 409)
        assert said["what"] == "You cannot take your own rights away"
    assert "your own password" in refused(await do(api, "password-reset", me, admin), 409)["what"]
    refused(await do(api, "end-user-sessions", me, admin), 409, "user.own_sessions")
    assert (await do(api, "update-user", me, admin, full_name="Ada Lovelace", role="admin")).json()["fields_updated"] == [
        "full_name"
    ]


# ── The last administrator ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("change", ['{"role": "supervisor"}', '{"is_active": false}'])
def test_of_two_administrators_who_demote_each_other_at_once_one_stays(database: Database, change: str) -> None:
    ada, bob = database.person("admin", "Ada"), database.person("admin", "Bob")

    def demote(who: Actor, by: Actor, connection: psycopg.Connection[Any]) -> None:
        connection.execute("select private.change_user(%s, %s)", (who.id, change))
        connection.execute("set local role service_role")
        connection.execute(
            "select * from private.record_save(%s, 'update_user', 'user', %s, '{}', null, null, '[]')", (by.id, who.id)
        )

    with (
        database.acting("authenticated", {"sub": ada.id, "session_id": ada.session_id}) as first,
        database.acting("authenticated", {"sub": bob.id, "session_id": bob.session_id}) as second,
        ThreadPoolExecutor(1) as thread,
    ):
        first.execute("select private.change_user(%s, %s)", (bob.id, change))
        late = thread.submit(demote, ada, bob, second)
        while not database.value("select exists (select from pg_locks where not granted)"):
            assert not late.done()
        first.execute(
            "set local role service_role"
        )  # the audit entry of the one, while the other waits: they do not block each other
        first.execute(
            "select * from private.record_save(%s, 'update_user', 'user', %s, '{}', null, null, '[]')", (ada.id, bob.id)
        )
        first.commit()
        with pytest.raises(psycopg.Error, match="this is the last administrator") as error:
            late.result(30)
        assert error.value.sqlstate == "BT409"
    assert database.value("select count(*) from users where role = 'admin' and is_active") == 1


async def test_administrators_who_all_deactivate_each_other_at_once_leave_one_and_each_hears_why(api: Api) -> None:
    admins = [api.database.person("admin", f"Admin {n}") for n in range(4)]
    answers = await asyncio.gather(*(do(api, "delete-user", other, me) for me in admins for other in admins if me != other))
    shut_out = {401, 403, 404}  # before, or in the middle of it: then they see nobody any more
    assert {answer.status_code for answer in answers} <= {200, 409} | shut_out
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["what"] == "This is the last administrator"
            assert answer.json()["todo"] == "Make somebody else an administrator first."
    assert api.database.value("select count(*) from users where role = 'admin' and is_active") == 1


# ── password-reset, and the temporary password from end to end ──────────────────────────────────────────────────────


async def test_a_reset_voids_the_old_password_and_every_session_before_any_mail_is_sent(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    username = api.user("booking_agent", "Jane Roe")
    token = (await sign_in(api, username, PASSWORD)).json()["access_token"]
    for _ in range(5):
        await sign_in(api, username, "wrong")
    link = api.database.value("select id from users where username = %s", username)
    api.database.all("select private.put_link('reset', %s, 'x', '1 hour')", link)
    said = (await api.post("/webhook/password-reset", {"username": username.upper()}, by=admin)).json()
    assert said["message"] == (
        f"Jane Roe is signed out everywhere, and the old password is void. A temporary one goes to {username} in the background."
    )
    assert (said["sessions_ended"], said["email"], mail.sent) == (1, username, [])
    refused(await api.get("/webhook/get-failed-tasks", by=token), 401, "session.ended")
    refused(await sign_in(api, username, PASSWORD), 403, "credentials")  # and not locked any more
    assert api.database.value("select count(*) from private.one_time_links") == 0
    (entry,) = audit(api.database, "reset_password")
    assert entry["details"] == {"username": username, "sessions_ended": 1}

    await office.work()
    assert mail.sent[0].subject == "Your temporary password"
    refused(await sign_in(api, username, PASSWORD), 403, "credentials")
    come = (await sign_in(api, username, password_in(mail))).json()
    assert (come["must_change_password"], "access_token" in come, "refresh_token" in come) == (True, False, False)


async def test_asvs_6_4_1_a_temporary_password_opens_one_thing_only_the_choice_of_ones_own(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    username = api.user("booking_agent", "Jane Roe")
    await api.post("/webhook/password-reset", {"username": username}, by=admin)
    await office.work()
    temporary = password_in(mail)
    limited = (await sign_in(api, username, temporary)).json()["limited_token"]
    tried = 0
    for path, methods in api.app.openapi()["paths"].items():
        if path not in _OPEN_TO_STRANGERS | {"/webhook/change-password"}:
            for method in methods:
                answer = await api.line.request(method, path, json={}, headers={"authorization": f"Bearer {limited}"})
                assert (path, answer.status_code) == (path, 401)
                tried += 1
    assert tried > 30

    office.clock.advance(seconds=1)
    body = {"current_password": temporary, "new_password": OWN, "confirm_password": OWN}
    changed = (await api.post("/webhook/change-password", body, by=limited)).json()
    assert (await api.get("/webhook/get-clients", by=changed["access_token"])).status_code == 200
    assert (await listed(api, admin, username))["must_change_password"] is False
    refused(await sign_in(api, username, temporary), 403, "credentials")
    refused(await api.post("/webhook/change-password", body, by=limited), 401)
    assert (await sign_in(api, username, OWN)).status_code == 200


_OPEN_TO_STRANGERS = {
    "/webhook/user-login", "/webhook/refresh-token", "/webhook/forgot-password", "/webhook/reset-password",
    "/webhook/check-reset-link", "/webhook/check-setup-link", "/webhook/create-first-admin", "/webhook/password-rules",
    "/portal-config", "/health/live", "/health/ready", "/metrics",
}  # fmt: skip


async def test_what_the_list_calls_open_to_strangers_is_so(api: Api) -> None:
    paths = api.app.openapi()["paths"]
    assert paths.keys() >= _OPEN_TO_STRANGERS
    for path in _OPEN_TO_STRANGERS:
        for method in paths[path]:
            assert (await api.line.request(method, path, json={})).status_code != 401, path


async def test_asvs_6_4_1_a_temporary_password_is_good_for_24_hours(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor, clock: Clock
) -> None:
    username = api.user("driver")
    await api.post("/webhook/password-reset", {"username": username}, by=admin)
    await office.work(after_s=3600)  # it waited for the mail server; the day begins when it is made
    clock.advance(hours=23, minutes=59)
    assert (await sign_in(api, username, password_in(mail))).status_code == 200
    clock.advance(minutes=1)
    assert "no longer good" in refused(await sign_in(api, username, password_in(mail)), 403, "password.outlived")["message"]


def test_a_temporary_password_has_80_bits_and_nothing_that_is_read_wrongly() -> None:
    alphabet = passwords._ALPHABET
    one = temporary_password()
    assert re.fullmatch(rf"[{alphabet}]{{5}}(-[{alphabet}]{{5}}){{3}}", one)
    assert log2(len(set(alphabet))) * (len(one) - 3) >= 80
    assert not set("01lioq25z8bsuvg69aeAEIOU") & set(alphabet)
    assert len({temporary_password() for _ in range(100)}) == 100


async def test_no_temporary_password_lies_in_the_database_or_the_log(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor, capfd: pytest.CaptureFixture[str]
) -> None:
    await create(api, admin)
    mail.fails(at=1, error=OutcomeUnknown("The mail server", "It may have been sent", code="mail.timeout"))
    await office.work()
    await office.work(after_s=60)
    await api.post("/webhook/password-reset", {"username": "jane@example.test"}, by=admin)
    await office.work()
    secrets = {password_in(mail, n) for n in range(len(mail.sent))}
    assert len(secrets) == 2
    tables = api.database.all(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'private', 'engine')"
    )
    assert len(tables) > 20
    for table in tables:
        rows = str(api.database.all(f"select to_jsonb(t)::text as row from {table['name']} t"))  # noqa: S608  (names from the catalog)
        assert not any(secret in rows for secret in secrets), table
    out, err = capfd.readouterr()
    assert not any(secret in out + err for secret in secrets)


async def test_each_attempt_makes_another_password_that_voids_the_earlier_in_a_mail_of_its_own(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    username = api.user("driver")
    await api.post("/webhook/password-reset", {"username": username}, by=admin)
    mail.loses_answers = 1
    await office.work()
    assert await office.work(after_s=60) == ["completed"]
    first, second = mail.sent
    assert first.message_id != second.message_id
    refused(await sign_in(api, username, password_in(mail, 0)), 403, "credentials")
    assert (await sign_in(api, username, password_in(mail, 1))).status_code == 200


async def test_a_task_that_is_tried_again_late_never_replaces_what_the_person_has_chosen(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    username = api.user("driver")
    await sign_in(api, username, PASSWORD)
    user_id = (await listed(api, admin, username))["id"]
    await do(api, "password-reset", user_id, admin)
    mail.fails(error=Misconfigured("The mail server", "It does not let us sign in", code="mail.sign_in"))
    assert await office.work() == ["failed"]
    api.database.all("select private.set_password(%s, 'chosen by a reset link')", UUID(user_id))
    mail.works()
    api.database.all("select public.retry_background_task(%s)", office.task("send_temporary_password")["id"])
    assert await office.work() == ["completed"]
    assert (mail.sent, office.task("send_temporary_password")["result"]["sent"]) == ([], False)
    assert api.database.value("select password_hash from private.credentials where user_id = %s", UUID(user_id)) == (
        "chosen by a reset link"
    )


async def test_an_account_deactivated_meanwhile_gets_no_mail(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    said = (await create(api, admin)).json()
    await do(api, "delete-user", said["user_id"], admin)
    assert await office.work() == ["completed"]
    assert mail.sent == []
    refused(await do(api, "password-reset", said["user_id"], admin), 409, "user.deactivated")


async def test_whoever_has_never_been_in_is_invited_once_more_by_a_reset(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    said = (await create(api, admin)).json()
    await office.work()
    await do(api, "password-reset", said["user_id"], admin)
    await office.work()
    assert [one.subject for one in mail.sent] == ["Your Backhaul account"] * 2
    refused(await sign_in(api, "jane@example.test", password_in(mail, 0)), 403, "credentials")
    assert (await sign_in(api, "jane@example.test", password_in(mail, 1))).json()["must_change_password"] is True


async def test_two_resets_in_a_row_send_one_mail(api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor) -> None:
    username = api.user("driver")
    for _ in range(2):
        await api.post("/webhook/password-reset", {"username": username}, by=admin)
    await office.work()
    assert len(mail.sent) == 1


async def test_a_change_of_ones_own_password_does_not_outrun_a_reset(api: Api, admin: Actor) -> None:
    """Proved with the old password, which is taken away before the new one is written."""
    username = api.user("driver")
    token = (await sign_in(api, username, PASSWORD)).json()["access_token"]
    user_id = (await listed(api, admin, username))["id"]
    accounts = api.app.state.accounts
    verify = accounts._passwords.verify

    async def slowly(password_hash: str | None, password: str) -> bool:
        right: bool = await verify(password_hash, password)
        await do(api, "password-reset", user_id, admin)
        return right

    accounts._passwords.verify = slowly
    body = {"username": username, "currentPassword": PASSWORD, "newPassword": OWN}
    refused(await api.post("/webhook/change-password", body, by=token), 401)
    accounts._passwords.verify = verify
    refused(await sign_in(api, username, OWN), 403, "credentials")


# ── A mail that cannot arrive ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_wrong_address_is_told_with_what_to_do_and_correcting_it_sends_another_by_itself(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    said = (await create(api, admin)).json()
    error = Unplaceable(
        "The mail server", "The mail server does not know this e-mail address", "It answered 550", code="mail.recipient"
    )
    mail.fails(at=1, error=error)
    assert await office.work() == ["failed"]
    (failure,) = (await api.get("/webhook/get-failed-tasks", by=admin)).json()["data"]
    assert (failure["task_label"], failure["entity_type"], failure["entity_label"]) == ("Send invitation", "user", "Jane Roe")
    assert failure["error_hint"] == "Correct the e-mail address under Users. Saving it sends a new password there by itself"

    office.clock.advance(minutes=5)
    said = (await do(api, "update-user", said["user_id"], admin, email="jane.roe@example.test")).json()
    assert said["message"] == "Jane Roe is saved. A new temporary password goes to jane.roe@example.test in the background."
    assert await office.work() == ["completed"]
    assert [one.to for one in mail.sent] == ["jane.roe@example.test"]
    assert (await api.get("/webhook/get-failed-tasks", by=admin)).json()["data"] == []


async def test_a_temporary_password_that_went_to_a_wrong_address_is_void_once_it_is_corrected(
    api: Api, office: TestOffice[Office], mail: FakeMail, admin: Actor
) -> None:
    said = (await create(api, admin)).json()
    await office.work()
    await do(api, "update-user", said["user_id"], admin, email="jane.roe@example.test")
    refused(await sign_in(api, "jane@example.test", password_in(mail)), 403, "credentials")
    await office.work()
    assert (await sign_in(api, "jane@example.test", password_in(mail))).status_code == 200


async def test_a_new_address_of_somebody_who_has_their_own_password_sends_none(
    api: Api, office: TestOffice[Office], admin: Actor
) -> None:
    username = api.user("driver")
    user_id = (await listed(api, admin, username))["id"]
    await do(api, "update-user", user_id, admin, email="new@example.test")
    assert office.tasks("pending") == []
    assert (await sign_in(api, username, PASSWORD)).status_code == 200


# ── Locks and sessions ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_somebody_locked_out_may_try_again_once_unlocked(api: Api, admin: Actor) -> None:
    username = api.user("driver", "Dee Driver")
    for _ in range(5):
        await sign_in(api, username, "wrong")
    refused(await sign_in(api, username, PASSWORD), 423)
    said = (await api.post("/webhook/unlock-user", {"username": username}, by=admin)).json()
    assert said["message"] == "Dee Driver may try again at once."
    assert (await sign_in(api, username, PASSWORD)).status_code == 200
    said = (await api.post("/webhook/unlock-user", {"username": username}, by=admin)).json()
    assert said["message"] == "Dee Driver was not locked out."
    assert len(audit(api.database, "unlock_user")) == 1


async def test_asvs_7_4_5_an_administrator_ends_every_session_of_one_person_and_of_nobody_else(api: Api, admin: Actor) -> None:
    jane, other = api.user("driver", "Dee Driver"), api.database.person("driver")
    tokens = [(await sign_in(api, jane, PASSWORD)).json()["access_token"] for _ in range(2)]
    said = (await api.post("/webhook/end-user-sessions", {"username": jane}, by=admin)).json()
    assert (said["message"], said["sessions_ended"]) == ("Dee Driver is signed out everywhere.", 2)
    for token in tokens:
        said = refused(await api.get("/webhook/get-failed-tasks", by=token), 401, "session.ended")
        assert "by an administrator" in said["message"]
    assert (await api.get("/webhook/get-failed-tasks", by=other)).status_code == 200
    assert (await sign_in(api, jane, PASSWORD)).status_code == 200
    (entry,) = audit(api.database, "end_user_sessions")
    assert entry["details"] == {"username": jane, "sessions_ended": 2}
