"""Brings a database to today's schema, file by file, in the same books as the Supabase CLI.

A migration is a file `<14 digits>_<name>.sql`, plain SQL in UTF-8. It is applied once, whole or not at all, in a transaction of
its own that also writes its line in `supabase_migrations.schema_migrations`. A file whose first line is `-- no transaction` runs
outside one, as CREATE INDEX CONCURRENTLY must: it holds a single statement, and one that may be repeated.

Either tool may come after the other: both make the same table and compare versions only. The CLI (3.1.0) notes a file cut into
its statements, we note it as one piece. Both give each file the session's own settings, whatever the file before it set.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from backhaul.core.errors import Conflict, Problem

NO_TRANSACTION = "-- no transaction"

_FILE_NAME = re.compile(r"(?P<version>[0-9]{14})_(?P<name>[a-z0-9_]+)\.sql")
_LOCK = 0x6D696772  # any number nobody else locks: "migr" in ASCII
_LOCK_POLL_S = 0.05
_LOCK_TIMEOUT_S = 600.0
# How long a migration may wait for a table, with everybody else's queries on that table waiting behind it. The CLI's own figure.
_TABLE_LOCK_TIMEOUT = "4s"

_HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""


@dataclass(frozen=True)
class Migration:
    """One file. `sql` is its text, without a last semicolon: the form in which the history keeps it."""

    version: str
    name: str
    sql: str
    transactional: bool

    @property
    def file_name(self) -> str:
        return f"{self.version}_{self.name}.sql"


@dataclass(frozen=True)
class Standing:
    """Where a database is, seen from this program: `pending` is still to be applied, `unknown` was applied by a newer program."""

    pending: tuple[Migration, ...]
    unknown: tuple[str, ...]

    @property
    def up_to_date(self) -> bool:
        return not self.pending and not self.unknown


def find(folder: Path) -> list[Migration]:
    """All migrations in `folder`, oldest first.

    Raises: Problem when there is none, or one is misnamed, empty, not UTF-8, or has the version of another.
    """
    files = sorted(path for path in folder.glob("*.sql") if path.is_file())
    if not files:
        raise _wrong(
            folder, "It has no *.sql file, or does not exist", "Point to supabase/migrations, or install the program again"
        )
    migrations = sorted((_read(file) for file in files), key=lambda migration: migration.version)
    for earlier, later in itertools.pairwise(migrations):
        if earlier.version == later.version:
            raise _wrong(
                folder, f"{earlier.file_name} and {later.file_name} have the same version", "Give the later one a new version"
            )
    return migrations


def migrate(dsn: str, folder: Path, *, report: Callable[[Migration], None] = lambda _: None) -> list[Migration]:
    """Apply what is pending and return it; `report` hears of each migration once it is applied and kept.

    Any number of processes may call this at once: one applies, the others wait and find nothing to do. What was applied before a
    failure stays applied. Raises: Problem; Conflict when the database has been where these files do not lead.
    """
    migrations = find(folder)
    try:
        connection = psycopg.connect(dsn, autocommit=True, application_name="backhaul migrate")
    except psycopg.OperationalError as error:
        raise Problem(
            "The database could not be reached to bring its schema up to date",
            str(error).strip(),
            "Check DATABASE_URL and that the server runs",
            code="migrations.unreachable",
        ) from error
    with connection:
        _wait_for_our_turn(connection)  # until the connection closes
        todo = pending(connection, migrations)
        if todo:
            _make_history(connection)
        for migration in todo:
            _apply(connection, migration)
            report(migration)
    return todo


def pending(connection: psycopg.Connection[Any], migrations: Sequence[Migration]) -> list[Migration]:
    """What is still to be applied. Raises: Conflict when applying it would not lead to the schema these files describe."""
    applied = applied_versions(connection)
    standing = compare(applied, migrations)
    if standing.unknown:
        raise Conflict(
            "The database's schema is newer than this program",
            f"It has had the migrations {', '.join(standing.unknown)}, which are not among this program's files",
            "Install the program version that has them",
            code="migrations.unknown",
        )
    late = [migration.file_name for migration in standing.pending if migration.version < max(applied, default="")]
    if late:
        raise Conflict(
            f"{', '.join(late)} cannot be applied any more",
            f"The database is past that point: it has had {max(applied)}",
            "Give the file a version later than that one; it may need changing to fit what came between",
            code="migrations.late",
        )
    return list(standing.pending)


def verify(connection: psycopg.Connection[Any], folder: Path) -> Standing:
    """How the database compares with the files; changes nothing and never objects. Needs the rights of the schema's owner."""
    return compare(applied_versions(connection), find(folder))


def compare(applied: Collection[str], migrations: Sequence[Migration]) -> Standing:
    known = {migration.version for migration in migrations}
    return Standing(
        pending=tuple(migration for migration in migrations if migration.version not in applied),
        unknown=tuple(sorted(set(applied) - known)),
    )


def applied_versions(connection: psycopg.Connection[Any]) -> set[str]:
    """By whichever tool; none if no tool has been here."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        if cursor.execute("select to_regclass('supabase_migrations.schema_migrations')").fetchone() == (None,):
            return set()
        return {version for (version,) in cursor.execute("select version from supabase_migrations.schema_migrations")}


def _read(file: Path) -> Migration:
    named = _FILE_NAME.fullmatch(file.name)
    if not named:
        raise _wrong(
            file, "Its name is not <14 digits>_<lower-case words>.sql", "Rename it, for example 20261123090000_add_lease.sql"
        )
    if not int(named["version"]):
        raise _wrong(file, "The Supabase CLI passes over the version 0", "Rename it: the version is the time it was written")
    try:
        text = file.read_text(encoding="utf-8-sig").rstrip()
    except UnicodeDecodeError as error:
        raise _wrong(file, f"It is not UTF-8: {error}", "Save it as UTF-8") from error
    if not text:
        raise _wrong(file, "It is empty", "Write it, or remove it")
    first_line = text.splitlines()[0].strip().lower()
    return Migration(named["version"], named["name"], text.removesuffix(";"), transactional=first_line != NO_TRANSACTION)


def _wait_for_our_turn(connection: psycopg.Connection) -> None:
    """By asking again and again: a statement that waits keeps a snapshot, which CREATE INDEX CONCURRENTLY would wait for."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while connection.execute("select pg_try_advisory_lock(%s)", (_LOCK,)).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise Conflict(
                "The schema was not brought up to date",
                f"Another process has been doing so for more than {_LOCK_TIMEOUT_S / 60:.0f} minutes",
                "See in pg_stat_activity what 'backhaul migrate' is waiting for; then try again",
                code="migrations.busy",
            )
        time.sleep(_LOCK_POLL_S)


def _make_history(connection: psycopg.Connection) -> None:
    try:
        connection.execute(_HISTORY)
    except psycopg.Error as error:
        raise Problem(
            "The table supabase_migrations.schema_migrations could not be made",
            str(error).strip(),
            "Connect as the database's owner (postgres)",
            code="migrations.history",
        ) from error


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    connection.execute("reset all")
    try:
        if migration.transactional:
            _apply_in_transaction(connection, migration)
        else:
            connection.execute(migration.sql.encode())
            _note(connection, migration)
    except psycopg.Error as error:
        raise _failed(migration, error) from error


def _apply_in_transaction(connection: psycopg.Connection, migration: Migration) -> None:
    with connection.transaction():
        connection.execute(f"set local lock_timeout = '{_TABLE_LOCK_TIMEOUT}'")
        before = connection.execute("select pg_current_xact_id()").fetchone()
        connection.execute(migration.sql.encode())
        inside = connection.info.transaction_status is TransactionStatus.INTRANS
        if not inside or connection.execute("select pg_current_xact_id()").fetchone() != before:
            raise Problem(
                f"The migration {migration.file_name} ended the transaction it was given",
                "It contains COMMIT or ROLLBACK, so a part of it may have been kept, and it was not noted as applied",
                "Remove them from the file, see what has been kept, and undo that",
                code="migrations.transaction",
            )
        _note(connection, migration)


def _note(connection: psycopg.Connection, migration: Migration) -> None:
    connection.execute(
        "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
        (migration.version, migration.name, [migration.sql]),
    )


def _failed(migration: Migration, error: psycopg.Error) -> Problem:
    line = ""
    if error.diag.statement_position:
        line = f", line {migration.sql.count(chr(10), 0, int(error.diag.statement_position)) + 1}"
    if isinstance(error, psycopg.errors.LockNotAvailable):
        advice = "A table it changes was in use all that time; try again when less is going on"
    elif migration.transactional:
        advice = "Nothing of it was kept: correct the file and run it again"
    else:
        advice = (
            "It runs outside a transaction: see what it left behind (an index marked invalid?), remove that, and run it again"
        )
    parts = (error.diag.message_primary or str(error).strip(), error.diag.message_detail, error.diag.message_hint)
    why = ". ".join(part.rstrip(".") for part in parts if part)
    return Problem(f"The migration {migration.file_name} failed{line}", why, advice, code="migrations.failed")


def _wrong(path: Path, why: str, todo: str) -> Problem:
    return Problem(f"The migrations in {path} cannot be used", why, todo, code="migrations.files")
