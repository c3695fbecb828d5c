"""n8n as a worker with the rights that docs/n8n-as-a-worker.md gives it: enough for its lane, and nothing more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import LiteralString, cast
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from backhaul.core.share import share
from backhaul.core.testing import Database
from tests.ledger import create, task_of

_PAGE = share("docs", "n8n-as-a-worker.md")


@pytest.fixture
def n8n(database: Database) -> Iterator[psycopg.Connection[dict[str, object]]]:
    """A connection of the role that the page makes, under a name of its own: roles belong to the whole server."""
    role = f"n8n_{uuid4().hex[:8]}"
    block = re.search(r"```sql\n(create role n8n .*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None, "the page has no block that makes the role"
    statements = re.sub(r"\bto n8n\b|\brole n8n\b", lambda said: said[0].replace("n8n", role), block[1])
    with psycopg.connect(database.dsn, autocommit=True) as owner:
        owner.execute(cast("LiteralString", statements))
    try:
        dsn = psycopg.conninfo.make_conninfo(database.dsn, user=role)
        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
            yield connection
    finally:
        superuser = psycopg.conninfo.make_conninfo(database.dsn, user="supabase_admin")
        with psycopg.connect(superuser, autocommit=True) as owner:
            owner.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(role)))


def test_n8n_claims_a_task_of_its_lane_and_completes_it(database: Database, n8n: psycopg.Connection[dict[str, object]]) -> None:
    task = create(database, lane="n8n")
    assert n8n.execute("select id from background_tasks").fetchall() == [{"id": task}]
    move = n8n.execute("select * from start_background_task(%s, 'n8n')", (task,)).fetchone()
    assert move is not None
    assert move["changed"] is True
    done = n8n.execute("select * from complete_background_task(%s, '{}', %s)", (task, move["attempt"])).fetchone()
    assert done is not None
    assert done["changed"] is True
    assert task_of(database, task)["leased_by"] == "n8n"


def test_n8n_reports_a_failure_that_people_hear_of(database: Database, n8n: psycopg.Connection[dict[str, object]]) -> None:
    task = create(database, lane="n8n")
    n8n.execute("select * from start_background_task(%s, 'n8n')", (task,))
    n8n.execute("select * from fail_background_task(%s, 'The mail server refused it. The address is unknown.')", (task,))
    assert task_of(database, task)["status"] == "failed"


@pytest.mark.parametrize(
    "forbidden",
    [
        "select * from dismiss_background_task(%s)",
        "select * from retry_background_task(%s)",
        "select create_background_task('client', %s, 'Jane', 'sync_quo')",
        "update background_tasks set status = 'completed' where id = %s",
        "select * from clients where id = %s",
        "select * from audit_logs where id = %s",
    ],
)
def test_n8n_may_do_nothing_else(
    database: Database, n8n: psycopg.Connection[dict[str, object]], forbidden: LiteralString
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        n8n.execute(forbidden, (create(database, lane="n8n"),))


def test_n8n_sees_no_other_lane(database: Database, n8n: psycopg.Connection[dict[str, object]]) -> None:
    create(database, lane="quo")
    assert n8n.execute("select id from background_tasks").fetchall() == []
