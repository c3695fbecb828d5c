"""What is kept, and for how long: the audit log for ever, what is of no more use to anybody not. See docs/operations.md."""

from __future__ import annotations

import re
from datetime import timedelta

import psycopg
from psycopg import sql

from backhaul.core.share import share
from backhaul.core.store import Actor
from backhaul.core.testing import Clock, Database, TestOffice
from backhaul.dispatch.office import Office
from tests.test_archive import archive_now, made
from tests.test_audit_log import seal, verify, write

_AUDIT_TABLES = ("audit_logs", "audit_seals", "audit_sealed")
_REMOVES = re.compile(
    r"\b(?:delete\s+from|truncate(?:\s+table)?|update|drop\s+table(?:\s+if\s+exists)?|merge\s+into)\s+(?:only\s+)?"
    rf"(?:public\.|private\.)?(?:{'|'.join(_AUDIT_TABLES)})\b",
    re.IGNORECASE,
)


def test_no_statement_of_ours_changes_or_removes_an_audit_entry_or_a_seal(database: Database) -> None:
    """Neither in a function of the database nor in what the program sends."""
    assert _REMOVES.search("delete from public.audit_logs a where true")
    assert _REMOVES.search("update private.audit_seals set digest = ''")
    root = share("sql").parent
    sources = [*root.glob("sql/**/*.sql"), *root.glob("supabase/migrations/*.sql"), *root.glob("src/**/*.py")]
    assert len(sources) > 100
    texts = {str(source.relative_to(root)): source.read_text("utf-8") for source in sources}
    texts |= {row["name"]: row["prosrc"] for row in database.all("select oid::regprocedure::text as name, prosrc from pg_proc")}
    assert [name for name, text in texts.items() if _REMOVES.search(text)] == []


def test_nothing_that_is_removed_takes_an_audit_entry_with_it(database: Database) -> None:
    """A foreign key of the log's own refuses the removal of what it names; it never follows."""
    keys = database.all(
        "select conname, confdeltype from pg_constraint where contype = 'f' and conrelid in"
        " ('audit_logs'::regclass, 'private.audit_seals'::regclass, 'private.audit_sealed'::regclass)"
    )
    assert keys
    assert {key["confdeltype"] for key in keys} <= {"a", "r"}


async def test_after_twenty_years_of_clearing_up_every_entry_is_there_and_proves_it(
    office: TestOffice[Office], database: Database, clock: Clock, agent: Actor
) -> None:
    entries = write(database, agent, 3)
    seal(database)
    for status in ("completed", "dismissed"):
        made(database, status, agent.id)
    seal(database)
    dismissed = database.value("select count(*) from audit_logs") - len(entries)
    for _ in range(20):
        clock.advance(days=365)
        archive_now(database)
        assert await office.work() == ["completed"]
        clear_up(database)
        seal(database)
    assert database.value("select count(*) from audit_logs") == len(entries) + dismissed
    told = verify(database)
    assert (told["checked"], told["broken_seq"]) == (len(entries) + dismissed, None)


def clear_up(database: Database) -> None:
    """Everything in the database that is there to throw something away, known today or not."""
    found = database.all(
        "select p.oid::regproc::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname = 'private' and p.proname like 'prune%' and p.pronargs = p.pronargdefaults"
    )
    assert {row["name"] for row in found} >= {"private.prune_sessions", "private.prune_accounts", "private.prune_clicks"}
    with psycopg.connect(database.dsn) as owner:
        for row in found:
            owner.execute(sql.SQL("select * from {}()").format(sql.Identifier(*row["name"].split("."))))


async def test_the_daily_archive_throws_away_what_is_of_no_more_use_after_its_time(
    office: TestOffice[Office], database: Database, clock: Clock, agent: Actor
) -> None:
    database.all("select private.end_session(%s, 'signed out')", agent.session_id)
    database.all("select private.knock('sign-in', '203.0.113.7', 1, 1)")
    database.all("select private.put_link('reset', %s, 'hash', '1 hour')", agent.id)
    database.all("select private.claim_click(%s, 'add-client', 'key', 'hash')", agent.id)
    kept = {"user_sessions": 30, "private.visitors": 1, "private.one_time_links": 30, "private.clicks": 7}

    def there() -> set[str]:
        with psycopg.connect(database.dsn) as owner:
            rows = {
                table: owner.execute(sql.SQL("select from {}").format(sql.Identifier(*table.split(".")))).fetchall()
                for table in kept
            }
        return {table for table, found in rows.items() if found}

    assert there() == set(kept)
    passed = timedelta()
    for days in (1, 7, 30):
        for wait, expected in ((timedelta(days=days, minutes=-1), {t for t, d in kept.items() if d >= days}),
                               (timedelta(days=days, hours=2), {t for t, d in kept.items() if d > days})):  # fmt: skip
            clock.advance(seconds=(wait - passed).total_seconds())
            passed = wait
            archive_now(database)
            assert await office.work() == ["completed"]
            assert there() == expected, wait
