"""How the installation is, as administrators see it: services, lanes, workers, schedules, settings; and nothing made up."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from backhaul.core.errors import Gone, Misconfigured, Transient
from backhaul.core.limits import SharedLimits
from backhaul.core.store import Actor, Store
from backhaul.core.testing import Clock, Database
from tests.api_fixtures import Api, everyone, running, settings_for
from tests.conftest import as_login

SECRET = "qk-4711-do-not-show"


async def health(api: Api, admin: Actor) -> dict[str, Any]:
    answer = await api.get("/webhook/get-health", by=admin)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def named(rows: list[dict[str, Any]], name: str, key: str = "name") -> dict[str, Any]:
    return next(row for row in rows if row[key] == name)


def limit(database: Database, service: str = "quo") -> None:
    database.one("select private.set_limit(%s, 10, 10)", service)


async def test_a_service_is_judged_by_what_the_last_calls_found(
    tmp_path: Path, database: Database, clock: Clock, admin: Actor, store: Store
) -> None:
    limit(database)
    async with asynccontextmanager(running)(settings_for(tmp_path, BACKHAUL_QUO_KEY=SECRET), database) as api:

        async def quo() -> dict[str, Any]:
            return named((await health(api, admin))["services"], "quo")

        assert ((await quo())["state"], (await quo())["what"]) == ("unasked", "Nobody has needed it yet")
        limits = SharedLimits(store)
        await limits.answered("quo")
        assert (await quo())["answered_at"] == "2026-11-23T14:00:00Z"
        clock.advance(minutes=1)
        await limits.refused("quo", Gone("Quo", "The contact is no longer in Quo"))  # says nothing against the service
        assert ((await quo())["state"], (await quo())["failed_at"]) == ("well", None)
        await limits.refused("quo", Transient("Quo", "Quo could not be reached", "No connection could be made"))
        assert ((await quo())["state"], (await quo())["what"]) == (
            "unwell",
            "Quo could not be reached. No connection could be made.",
        )
        clock.advance(minutes=1)
        await limits.answered("quo")  # noted at once after a failure
        assert (await quo())["what"] == "It answers"
        await limits.refused("quo", Misconfigured("Quo", "Quo does not accept our key", "It was deleted", "Make a new one"))
        held = await quo()
        assert held["what"] == "On hold since 10:02: Quo does not accept our key. It was deleted."
        assert "it is asked again at 10:03:00" in held["todo"]


async def test_that_it_answers_is_written_down_now_and_then_and_not_at_every_call(
    database: Database, clock: Clock, store: Store
) -> None:
    limit(database)
    limits = SharedLimits(store)
    await limits.answered("quo")
    clock.advance(seconds=5)
    for _ in range(3):
        await limits.answered("quo")
    noted = database.value("select answered_at from private.services where name = 'quo'")
    assert (clock.now - noted).total_seconds() == 5


async def test_a_call_that_went_well_is_not_undone_by_a_note_that_cannot_be_written(database: Database) -> None:
    limits = SharedLimits(Store(as_login(database.dsn)))  # never opened: as a database that is away
    await limits.answered("quo")


async def test_what_is_not_set_is_off_and_says_what_to_do(api: Api, admin: Actor) -> None:
    told = await health(api, admin)
    assert named(told["services"], "slack")["state"] == "off"
    assert [row["label"] for row in told["services"]] == ["Google Maps", "Quo", "Slack", "Google Calendar", "Mail"]


async def test_lanes_say_what_waits_and_who_should_look(api: Api, admin: Actor, database: Database, clock: Clock) -> None:
    create = "select create_background_task('client', gen_random_uuid(), 'Jane', 'sync_quo', lane => 'quo')"
    for _ in range(2):
        database.value(create)
    database.value("select create_background_task('client', gen_random_uuid(), 'x', 'y', lane => 'n8n')")
    database.all("insert into private.foreign_lanes (lane, worked_by) values ('n8n', 'n8n')")
    clock.advance(minutes=3)
    told = await health(api, admin)
    quo = named(told["lanes"], "quo", "lane")
    assert (quo["waiting"], quo["oldest_s"], quo["state"], quo["what"]) == (2, 180, "unwell", "The oldest has waited 3 min")
    assert named(told["lanes"], "n8n", "lane")["todo"] == "Look into n8n, which works on it"
    assert named(told["lanes"], "mail", "lane")["waiting"] == 0
    assert (told["workers"]["state"], told["workers"]["todo"]) == ("unwell", "Start one: backhaul worker")
    database.all("insert into private.workers (id) values ('host:1:aa'), ('api:host:2:bb')")
    told = await health(api, admin)
    assert (told["workers"]["what"], [one["id"] for one in told["workers"]["alive"]]) == ("1 alive", ["host:1:aa"])


async def test_schedules_say_when_they_ran_and_when_they_are_due(
    api: Api, admin: Actor, database: Database, clock: Clock
) -> None:
    database.one("select private.set_schedule('daily archive', 'archive_old_tasks', 'Daily archive', '03:00', 'America/Halifax')")
    database.one(
        "select private.repeat_task('reminders', 'send_due_reminders', 'Reminders', '5 minutes', 'reminders_wait',"
        " 'America/Halifax')"
    )
    archive = named((await health(api, admin))["schedules"], "daily archive")
    assert (archive["last_at"], archive["next_at"]) == (None, "2026-11-24T07:00:00Z")
    clock.advance(days=1)
    database.all("update user_sessions set last_activity_at = task_now()")
    database.one("select * from private.sweep()")
    told = (await health(api, admin))["schedules"]
    archive, reminders = named(told, "daily archive"), named(told, "reminders")
    assert (archive["last_at"], archive["next_at"]) == ("2026-11-24T14:00:00Z", "2026-11-25T07:00:00Z")
    assert (reminders["looked_at"], reminders["next_at"]) == ("2026-11-24T14:00:00Z", "2026-11-24T14:05:00Z")
    assert reminders["last_at"] is None
    task = database.value("select id from background_tasks")
    database.one("select * from start_background_task(%s)", task)
    database.one("select * from fail_background_task(%s, 'The disk is full.')", task)
    assert named((await health(api, admin))["schedules"], "daily archive")["what"] == "The disk is full."
    database.all("update private.schedules set last_date = 'infinity' where name = 'daily archive'")  # left to n8n
    assert named((await health(api, admin))["schedules"], "daily archive")["next_at"] is None


async def test_settings_are_told_with_their_source_and_secrets_only_as_set(
    tmp_path: Path, database: Database, admin: Actor
) -> None:
    async with asynccontextmanager(running)(settings_for(tmp_path, BACKHAUL_QUO_KEY=SECRET), database) as api:
        told = await api.get("/webhook/get-health", by=admin)
        key = named(told.json()["settings"], "quo_key")
        assert (key["value"], key["source"]) == ("set", "environment (BACKHAUL_QUO_KEY)")
        board = await api.get("/webhook/admin-dashboard", by=admin)
        assert board.json()["data"]["systemConfig"]["quo_key"] == "set (environment (BACKHAUL_QUO_KEY))"
        for answer in (told, board):
            assert SECRET not in answer.text


async def test_the_dashboard_of_the_portal_tells_what_is_so_and_that_it_was_read(
    api: Api, admin: Actor, database: Database
) -> None:
    await api.get("/webhook/get-all-users", by=everyone(database)["driver"])
    api.failed(admin)
    data = (await api.get("/webhook/admin-dashboard", by=admin)).json()["data"]
    assert [(line["level"], line["message"]) for line in data["systemLogs"]] == [("error", "Sync to Quo: Quo did not answer.")]
    (alert,) = data["securityAlerts"]
    assert alert["message"].startswith("Was refused: Driver from 203.0.113.7. ")
    assert data["databaseStats"]["Clients"] == 0
    assert data["databaseStats"]["Last Archive"] == "not yet"
    assert data["databaseStats"]["Last Backup"].startswith("Backups are not made by this product")
    read = database.one("select user_id, details from audit_logs where action = 'view_audit_log'")
    assert (read["user_id"], read["details"]["only_refused"]) == (admin.id, True)


async def test_the_services_are_asked_only_when_somebody_wants_it(api: Api, admin: Actor) -> None:
    checks = (await api.post("/webhook/check-services", by=admin)).json()["checks"]
    assert {one["name"]: one["ok"] for one in checks} == {
        "Google Maps": None, "Quo": None, "Texts": None, "Slack": None, "Google Calendar": None, "Mail": None,
    }  # fmt: skip
