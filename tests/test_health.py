"""/health and /metrics: what a monitor, a load balancer and whoever is on call rely on."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from backhaul.core import health
from backhaul.core.store import Actor
from backhaul.core.testing import Database
from tests.api_fixtures import Api, jane, running, settings_for, until


async def ready(api: Api) -> tuple[int, Any]:
    answer = await api.get("/health/ready")
    assert answer.json()["ok"] is (answer.status_code == 200)
    return answer.status_code, answer.json()["checks"]


async def listening(api: Api) -> None:
    await until(lambda: api.app.state.stream.listening)


def a_worker_lives(api: Api) -> None:
    api.database.all("select private.keep_leases('w1', interval '5 seconds')")


async def test_alive_needs_nothing_but_the_process(api: Api) -> None:
    api.database.all("drop schema private cascade")
    assert (await api.get("/health/live")).json() == {"ok": True}


async def test_ready_when_everything_is_in_its_place(api: Api) -> None:
    a_worker_lives(api)
    await listening(api)
    status, checks = await ready(api)
    assert status == 200, checks
    assert checks.keys() == {"database", "migrations", "workers", "queue", "services", "stream"}
    assert all(check["ok"] and check["what"] for check in checks.values())


async def test_not_ready_without_a_worker_and_it_says_how_to_start_one(api: Api) -> None:
    status, checks = await ready(api)
    assert status == 503
    assert (checks["workers"]["ok"], checks["workers"]["todo"]) == (False, "Start one: backhaul worker")
    a_worker_lives(api)
    api.database.all("update testing.clock set now = now + interval '16 seconds'")
    assert (await ready(api))[1]["workers"]["ok"] is False


async def test_not_ready_when_a_due_task_has_waited_for_a_minute(api: Api, agent: Actor) -> None:
    await api.post("/webhook/add-client", jane(), by=agent)
    assert (await ready(api))[1]["queue"]["ok"] is True
    api.database.all("update testing.clock set now = now + interval '61 seconds'")
    queue = (await ready(api))[1]["queue"]
    assert (queue["ok"], queue["what"]) == (False, "The oldest due task has waited 61 s")


async def test_a_service_on_hold_is_told_but_does_not_make_us_unready(api: Api) -> None:
    a_worker_lives(api)
    await listening(api)
    api.database.all("select private.set_limit('quo', 9, 1)")
    api.database.all("select private.hold_service('quo', 60, 'It refuses our key', 'quo.401')")
    status, checks = await ready(api)
    assert status == 200
    assert checks["services"]["what"] == "on hold: quo"
    assert checks["services"]["held"][0]["why"] == "It refuses our key"


async def test_not_ready_on_an_older_schema_and_it_says_to_migrate(api: Api) -> None:
    api.database.all(
        "delete from supabase_migrations.schema_migrations"
        " where version = (select max(version) from supabase_migrations.schema_migrations)"
    )
    migrations = (await ready(api))[1]["migrations"]
    assert (migrations["ok"], migrations["todo"]) == (False, "Run: backhaul migrate")


async def test_not_ready_on_a_newer_schema_and_it_says_to_update(api: Api) -> None:
    api.database.all("insert into supabase_migrations.schema_migrations (version) values ('29991231000000')")
    migrations = (await ready(api))[1]["migrations"]
    assert (migrations["ok"], migrations["todo"]) == (False, "Update this program")


async def test_not_ready_without_any_schema_and_the_database_is_not_blamed(api: Api) -> None:
    api.database.all("drop schema private cascade")
    status, checks = await ready(api)
    assert status == 503
    assert checks["database"]["ok"] is True
    assert (checks["migrations"]["ok"], checks["migrations"]["todo"]) == (False, "Run: backhaul migrate")


async def test_not_ready_when_our_login_may_not_become_who_it_must(api: Api) -> None:
    api.database.all("revoke usage on schema private from service_role")
    status, checks = await ready(api)
    assert status == 503
    assert "role does not allow it" in checks["database"]["what"]


async def test_not_ready_when_the_database_is_away_and_the_answer_comes_soon(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE_S", 0.2)
    async with away(database, tmp_path) as api:
        status, checks = await ready(api)
        assert status == 503
        assert checks["database"]["ok"] is False
        assert checks["database"]["todo"]
        assert (await api.get("/health/live")).status_code == 200
        figures = metrics_of((await api.get("/metrics")).text)
        assert figures["backhaul_database_up", ()] == 0


def metrics_of(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@asynccontextmanager
async def away(database: Database, home: Path) -> Any:
    """The application over a database that nobody can reach."""
    nowhere = Database(f"{database.dsn} host=127.0.0.1 port=1 connect_timeout=1")
    async for api in running(settings_for(home), nowhere):
        yield api


async def test_metrics_are_what_prometheus_reads_and_count_what_there_is(api: Api, agent: Actor) -> None:
    a_worker_lives(api)
    api.failed(agent)
    saved = await api.post("/webhook/add-client", jane(), by=agent)
    await api.get("/webhook/get-task", by=agent, id=saved.json()["task_ids"]["sync_quo"])
    await api.get("/webhook/nothing-here")
    answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    figures = metrics_of(answer.text)
    for status, count in (("pending", 2), ("processing", 0), ("failed", 1)):
        assert figures["backhaul_tasks", (("status", status),)] == count
    assert (figures["backhaul_workers", ()], figures["backhaul_database_up", ()]) == (1, 1)
    answered = ("endpoint", "/webhook/add-client"), ("method", "POST"), ("status", "200")
    assert figures["backhaul_http_seconds_count", answered] >= 1
    endpoints = {dict(labels)["endpoint"] for name, labels in figures if name == "backhaul_http_seconds_count"}
    assert "/webhook/nothing-here" not in endpoints  # or anybody could fill the monitor's memory with names
    assert figures["backhaul_refusals_total", (("code", "no_endpoint"),)] >= 1


async def test_metrics_say_nothing_of_anybody(api: Api, agent: Actor) -> None:
    await api.post("/webhook/add-client", jane(lastName="Quux"), by=agent)
    await api.get("/webhook/get-client", by=agent, knumber="K1234567")
    text = (await api.get("/metrics")).text
    for secret in ("Quux", "K1234567", "5550123", str(agent.id)):
        assert secret not in text
