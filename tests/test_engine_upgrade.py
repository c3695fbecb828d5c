"""The engine's own upgrade, from the previous version's tables to the pinned one's, under our trigger: updates rely on it.

engine_1_5.sql is what PgQueuer 1.5.0 prints for `PGQUEUER_SCHEMA=engine pgq sql install`.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest
from pgqueuer.adapters.persistence.schema_ddl import render_converge, render_install
from pgqueuer.domain.settings import DBSettings

from backhaul.core.share import share
from backhaul.core.testing import Database
from tests.test_delivery import Office, completed, make, until, worker

BEFORE = Path(__file__).with_name("engine_1_5.sql").read_text("utf-8")
SETTINGS = DBSettings(db_schema="engine")


@pytest.fixture
def upgraded(live_database: Database) -> Database:
    """A database whose engine was installed by the previous version, kept some jobs, and was upgraded."""
    run(live_database, "drop schema engine cascade")
    run(live_database, BEFORE)
    grants = re.search(r"grant usage on schema engine.*\Z", schema_file(), re.DOTALL)
    assert grants is not None
    run(live_database, grants[0])
    make(live_database, 3)
    assert live_database.value("select count(*) from engine.pgqueuer") == 3
    run(live_database, "\n\n".join(render_converge(SETTINGS)))
    return live_database


async def test_jobs_of_the_previous_version_and_new_ones_reach_a_worker(upgraded: Database) -> None:
    office = Office()
    async with worker(upgraded, office):
        await until(completed(upgraded, 3))
        make(upgraded, 3)
        await until(completed(upgraded, 6), within_s=5)
    assert set(office.visits.values()) == {1}


async def test_an_upgraded_engine_has_the_tables_of_a_fresh_one(upgraded: Database, database: Database) -> None:
    assert objects(upgraded) == objects(database)


def test_our_schema_file_holds_the_tables_of_the_pinned_version() -> None:
    assert version("pgqueuer") == "1.6.0"
    printed = statements(render_install(SETTINGS))
    ours = statements(schema_file())
    assert [statement for statement in printed if statement not in ours and "create schema" not in statement] == []


def schema_file() -> str:
    return (share("sql") / "delivery_schema.sql").read_text("utf-8")


def statements(script: str) -> list[str]:
    """Without comments, and with each space as one."""
    plain = " ".join(re.sub(r"--[^\n]*", "", script).split()).lower()
    return [statement.strip() for statement in plain.split(";") if statement.strip()]


def objects(database: Database) -> list[dict[str, object]]:
    return database.all(
        "select c.relname, c.relkind, coalesce(pg_get_indexdef(i.indexrelid), '') as index,"
        " (select array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) order by a.attname) from pg_attribute a"
        "   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns"
        " from pg_class c left join pg_index i on i.indexrelid = c.oid where c.relnamespace = 'engine'::regnamespace order by 1"
    )


def run(database: Database, script: str) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as owner:
        owner.execute(script.encode())
