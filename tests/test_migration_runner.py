"""The migration runner: what whoever deploys a version, or writes a migration, may rely on; the Supabase CLI among them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from psycopg.rows import dict_row

from backhaul.core import migrations
from backhaul.core.embedded import EmbeddedPostgres
from backhaul.core.errors import Conflict, Problem
from backhaul.core.migrations import Migration, Standing, find, migrate, pending, verify
from backhaul.core.share import share

FIRST = "20260101000000_first.sql"
SECOND = "20260102000000_second.sql"
THIRD = "20260103000000_third.sql"

_numbers = count()


@pytest.fixture
def dsn(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of its own, as empty as a new Supabase project."""
    name = f"migrated_{next(_numbers)}"
    postgres.prepare_database(name)
    yield postgres.dsn(name)
    with psycopg.connect(postgres.dsn("postgres", "supabase_admin"), autocommit=True) as connection:
        connection.execute(f"drop database {name}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, **files: str) -> None:
    """write(folder, first="create …"): under the names above."""
    for name, text in files.items():
        (folder / {"first": FIRST, "second": SECOND, "third": THIRD}[name]).write_text(text)


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def applied(dsn: str) -> list[object]:
    return [version for (version,) in rows(dsn, "select version from supabase_migrations.schema_migrations order by version")]


# ── What is applied, and how often ──


def test_files_are_applied_in_order_and_once(dsn: str, folder: Path) -> None:
    write(folder, second="insert into t values (2);", first="create table t (a int);\ninsert into t values (1);\n")
    heard: list[str] = []
    done = migrate(dsn, folder, report=lambda migration: heard.append(migration.file_name))
    assert heard == [FIRST, SECOND] == [migration.file_name for migration in done]
    assert migrate(dsn, folder) == []
    assert rows(dsn, "select a from t order by a") == [(1,), (2,)]


def test_history_is_the_table_that_the_supabase_cli_makes(dsn: str, folder: Path) -> None:
    write(folder, first="create table t (a int);\n")
    migrate(dsn, folder)
    assert rows(dsn, "select * from supabase_migrations.schema_migrations") == [
        ("20260101000000", ["create table t (a int)"], "first"),
    ]
    columns = """select attname::text, format_type(atttypid, atttypmod), attnotnull from pg_attribute
        where attrelid = 'supabase_migrations.schema_migrations'::regclass and attnum > 0 order by attnum"""
    assert rows(dsn, columns) == [("version", "text", True), ("statements", "text[]", False), ("name", "text", False)]
    assert rows(dsn, "select indexdef from pg_indexes where schemaname = 'supabase_migrations'") == [
        ("CREATE UNIQUE INDEX schema_migrations_pkey ON supabase_migrations.schema_migrations USING btree (version)",),
    ]


def test_what_the_supabase_cli_has_applied_is_not_applied_again(dsn: str, folder: Path) -> None:
    write(folder, first="create table t (a int);\ninsert into t values (1);\n", second="insert into t values (2);\n")
    with psycopg.connect(dsn) as connection:  # as seen of supabase 3.1.0 db push, which cuts files into statements
        connection.execute("create table t (a int); insert into t values (1)")
        connection.execute("create schema supabase_migrations")
        connection.execute("create table supabase_migrations.schema_migrations (version text not null primary key)")
        connection.execute("alter table supabase_migrations.schema_migrations add column statements text[]")
        connection.execute("alter table supabase_migrations.schema_migrations add column name text")
        connection.execute(
            "insert into supabase_migrations.schema_migrations values ('20260101000000', %s, 'first')",
            (["create table t (a int)", "insert into t values (1)"],),
        )
    assert [migration.file_name for migration in migrate(dsn, folder)] == [SECOND]
    assert rows(dsn, "select a from t order by a") == [(1,), (2,)]


@pytest.mark.parametrize("second", ["insert into t values (2)", "-- no transaction\ncreate index concurrently t_a on t (a)"])
def test_twenty_at_once_apply_each_file_once(dsn: str, folder: Path, second: str) -> None:
    write(folder, first="create table t (a int); insert into t values (1); select pg_sleep(0.05);", second=second)
    start = Barrier(20)

    def one(_: int) -> list[Migration]:
        start.wait()
        return migrate(dsn, folder)

    with ThreadPoolExecutor(20) as programs:
        outcomes = list(programs.map(one, range(20)))
    assert sorted(len(done) for done in outcomes) == [0] * 19 + [2]
    assert rows(dsn, "select count(*) from t where a = 1") == [(1,)]


# ── What fails, fails whole ──


def test_failing_file_leaves_nothing_of_itself_and_keeps_what_came_before(dsn: str, folder: Path) -> None:
    write(
        folder,
        first="create table t (a int)",
        second="insert into t values (2);\n\ninsert into nowhere values (2);",
        third="select 1",
    )
    with pytest.raises(Problem) as caught:
        migrate(dsn, folder)
    assert caught.value.what == f"The migration {SECOND} failed, line 3"
    assert caught.value.why == 'relation "nowhere" does not exist'
    assert "Nothing of it was kept" in caught.value.todo
    assert rows(dsn, "select a from t") == []
    assert applied(dsn) == ["20260101000000"]

    write(folder, second="insert into t values (2);")
    assert [migration.file_name for migration in migrate(dsn, folder)] == [SECOND, THIRD]


def test_file_that_ends_its_own_transaction_is_not_noted_as_applied(dsn: str, folder: Path) -> None:
    for text in ("create table t (a int); commit; create table u (a int)", "create table v (a int); commit; begin; select 1"):
        write(folder, first=text)
        with pytest.raises(Problem, match="ended the transaction it was given"):
            migrate(dsn, folder)
        assert applied(dsn) == []


def test_settings_of_one_file_do_not_reach_the_next(dsn: str, folder: Path) -> None:
    write(folder, first="create schema elsewhere; set search_path = elsewhere", second="create table t (a int)")
    migrate(dsn, folder)
    assert rows(dsn, "select to_regclass('public.t') is not null") == [(True,)]


def test_file_waits_only_a_moment_for_a_table_in_use(dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "_TABLE_LOCK_TIMEOUT", "50ms")
    write(folder, first="create table t (a int)")
    migrate(dsn, folder)
    write(folder, second="alter table t add column b int")
    with psycopg.connect(dsn) as reader:
        reader.execute("select * from t")
        with pytest.raises(Problem, match="in use all that time"):
            migrate(dsn, folder)
    assert [migration.file_name for migration in migrate(dsn, folder)] == [SECOND]


def test_whoever_waits_too_long_for_another_program_is_told_so(dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "_LOCK_TIMEOUT_S", 0.0)
    write(folder, first="select 1")
    with psycopg.connect(dsn, autocommit=True) as other:
        migrations._wait_for_our_turn(other)
        with pytest.raises(Conflict, match="Another process"):
            migrate(dsn, folder)


# ── Outside a transaction ──


def test_index_is_built_concurrently_by_a_file_that_says_no_transaction(dsn: str, folder: Path) -> None:
    write(folder, first="create table t (a int)", second="-- no transaction\ncreate index concurrently t_a on t (a);\n")
    migrate(dsn, folder)
    assert rows(dsn, "select indisvalid from pg_index where indexrelid = 't_a'::regclass") == [(True,)]
    assert applied(dsn) == ["20260101000000", "20260102000000"]


def test_index_built_concurrently_by_a_file_that_does_not_say_so_is_refused(dsn: str, folder: Path) -> None:
    write(folder, first="create table t (a int)", second="create index concurrently t_a on t (a)")
    with pytest.raises(Problem, match="cannot run inside a transaction block"):
        migrate(dsn, folder)


def test_failure_outside_a_transaction_advises_to_look_what_was_left(dsn: str, folder: Path) -> None:
    write(folder, first="create table t (a int); insert into t values (1), (1)")
    write(folder, second="-- no transaction\ncreate unique index concurrently t_a on t (a)")
    with pytest.raises(Problem, match=r"Key \(a\)=\(1\) is duplicated") as caught:
        migrate(dsn, folder)
    assert "see what it left behind" in caught.value.todo


# ── Databases from another line of history ──


def test_database_of_a_newer_program_is_left_alone(dsn: str, folder: Path) -> None:
    write(folder, first="select 1", second="create table t (a int)")
    migrate(dsn, folder)
    (folder / SECOND).unlink()
    with pytest.raises(Conflict, match="newer than this program") as caught:
        migrate(dsn, folder)
    assert "20260102000000" in caught.value.why


def test_file_that_comes_too_late_is_refused(dsn: str, folder: Path) -> None:
    write(folder, second="select 1")
    migrate(dsn, folder)
    write(folder, first="create table t (a int)")
    with pytest.raises(Conflict, match=f"{FIRST} cannot be applied any more"):
        migrate(dsn, folder)
    assert applied(dsn) == ["20260102000000"]


def test_verify_tells_what_is_pending_and_what_is_unknown_and_changes_nothing(dsn: str, folder: Path) -> None:
    write(folder, first="select 1", second="select 2")
    first, second = find(folder)
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        assert verify(connection, folder) == Standing(pending=(first, second), unknown=())
        assert pending(connection, [first, second]) == [first, second]
    assert rows(dsn, "select to_regnamespace('supabase_migrations')") == [(None,)]

    migrate(dsn, folder)
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        assert verify(connection, folder).up_to_date
        (folder / FIRST).rename(folder / THIRD)
        (third,) = (migration for migration in find(folder) if migration.name == "third")
        assert verify(connection, folder) == Standing(pending=(third,), unknown=("20260101000000",))


def test_role_that_may_not_change_the_schema_is_told_which_may(dsn: str, folder: Path) -> None:
    write(folder, first="select 1")
    with pytest.raises(Problem, match="Connect as the database's owner"):
        migrate(psycopg.conninfo.make_conninfo(dsn, user="authenticator"), folder)


def test_database_out_of_reach_is_named_with_advice(folder: Path) -> None:
    write(folder, first="select 1")
    with pytest.raises(Problem, match="Check DATABASE_URL"):
        migrate("postgresql://nobody@127.0.0.1:1/nowhere", folder)


# ── Files ──


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "no *.sql file"),
        ({"2026_short.sql": b"select 1"}, "not <14 digits>"),
        ({"20260101000000-dash.sql": b"select 1"}, "not <14 digits>"),
        ({"20260101000000_Capital.sql": b"select 1"}, "not <14 digits>"),
        ({"00000000000000_zero.sql": b"select 1"}, "passes over the version 0"),
        ({"20260101000000_a.sql": b"select 1", "20260101000000_b.sql": b"select 2"}, "have the same version"),
        ({FIRST: b" \n"}, "empty"),
        ({FIRST: b"select '\xff'"}, "not UTF-8"),
    ],
)
def test_files_that_cannot_be_migrations_are_refused(folder: Path, files: dict[str, bytes], why: str) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with pytest.raises(Problem) as caught:
        find(folder)
    assert why in caught.value.why
    assert caught.value.todo


def test_other_files_in_the_folder_are_no_concern_of_ours(folder: Path) -> None:
    write(folder, first="\ufeffselect 1;\r\n")
    (folder / "README.md").write_text("About these files")
    assert find(folder) == [Migration("20260101000000", "first", "select 1", transactional=True)]


def test_migrations_of_this_program_are_in_order() -> None:
    found = find(share("supabase", "migrations"))
    assert [migration.version for migration in found] == sorted({migration.version for migration in found})
