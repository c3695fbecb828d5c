"""One schema, whichever way it was laid: what whoever installs it on Supabase, or on a plain Postgres, relies on."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from backhaul.core.embedded import EmbeddedPostgres
from backhaul.core.migrations import migrate
from backhaul.core.share import share
from tests.conftest import TEMPLATE

SUPABASE_CLI = "supabase@3.1.0"
FILES = ("users", "audit_logs", "accounts", "background_tasks", "delivery", "dispatch", "appointments", "messages", "invoices")

_numbers = count()
NewDatabase = Callable[[], str]


@pytest.fixture
def new_database(postgres: EmbeddedPostgres) -> Iterator[NewDatabase]:
    """new_database(): the name of one as empty as a new Supabase project; dropped afterwards."""
    made: list[str] = []

    def new() -> str:
        made.append(f"schema_{next(_numbers)}")
        postgres.prepare_database(made[-1])
        return made[-1]

    yield new
    with psycopg.connect(postgres.dsn("postgres", "supabase_admin"), autocommit=True) as server:
        for name in made:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A project folder as the Supabase CLI wants it, with our migrations."""
    shutil.copytree(share("supabase", "migrations"), tmp_path / "supabase" / "migrations")
    return tmp_path


def dump(postgres: EmbeddedPostgres, name: str) -> list[str]:
    """The whole schema with its owners and grants, without the books of the migrations."""
    done = subprocess.run(  # noqa: S603  (a program of the embedded Postgres, and arguments of this test)
        [
            postgres.programs / "pg_dump", "--schema-only", "--exclude-schema=supabase_migrations",
            "--dbname", postgres.dsn(name, "supabase_admin"),
        ],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


def supabase(workdir: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs the real Supabase CLI. It is a program for Node; without one these tests cannot say anything, so they fail."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.fail("npx is missing: install Node 20 or later, so that the schema is checked by the real Supabase CLI")
    return subprocess.run(  # noqa: S603  (the CLI at a pinned version, and arguments of these tests)
        [npx, "--yes", SUPABASE_CLI, *command],
        cwd=workdir,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def advise(postgres: EmbeddedPostgres, name: str, workdir: Path) -> tuple[int, list[str]]:
    """What Supabase's own advisors find at the level of a warning or above."""
    done = supabase(workdir, "db", "advisors", "--remote", postgres.url(name), "--level", "warn", "--fail-on", "warn")
    found = re.search(r"^\[.*^\]", done.stdout, re.MULTILINE | re.DOTALL)
    lints = [lint["detail"] for lint in json.loads(found.group())] if found else []
    assert done.returncode == 0 or lints, done.stdout + done.stderr
    return done.returncode, lints


# ── The same schema by every way ──


def test_the_schema_files_run_by_hand_give_what_the_migrations_give(
    postgres: EmbeddedPostgres, new_database: NewDatabase
) -> None:
    name = new_database()
    with psycopg.connect(postgres.dsn(name), autocommit=True) as owner:
        for file in FILES:
            owner.execute(share("sql", f"{file}_schema.sql").read_bytes())
    assert dump(postgres, name) == dump(postgres, TEMPLATE)


def test_time_off_that_was_entered_before_keeps_its_days_and_its_reason(
    postgres: EmbeddedPostgres, new_database: NewDatabase, tmp_path: Path
) -> None:
    name = new_database()
    for file in share("supabase", "migrations").glob("*.sql"):
        if file.name < "20261127000010":
            shutil.copy(file, tmp_path)
    migrate(postgres.dsn(name), tmp_path)
    with psycopg.connect(postgres.dsn(name), autocommit=True) as owner:
        owner.execute("insert into drivers (first_name, last_name, email) values ('Ana', 'Driver', 'ana@x.test')")
        owner.execute(
            "insert into driver_time_off (driver_id, start_date, end_date, all_day, start_time, end_time, reason)"
            " select d.id, '2026-12-01', '2026-12-01', t.hour is null, t.hour, t.hour + interval '1 hour', t.reason"
            "   from drivers d, (values (null, 'Surgery'), ('09:00'::time, null)) t (hour, reason)"
        )
        before = owner.execute("select * from driver_time_off order by id").fetchall()
        migrate(postgres.dsn(name), share("supabase", "migrations"))
        assert owner.execute("select * from driver_time_off order by id").fetchall() == before
        assert owner.execute("select reason from driver_time_off_reasons").fetchall() == [("Surgery",)]


def test_no_schema_file_is_left_out() -> None:
    assert {path.name for path in share("sql").glob("*_schema.sql")} == {f"{file}_schema.sql" for file in FILES}


def test_the_supabase_cli_gives_the_same_schema_and_then_there_is_nothing_for_us_to_do(
    postgres: EmbeddedPostgres, new_database: NewDatabase, workdir: Path
) -> None:
    name = new_database()
    pushed = supabase(workdir, "db", "push", "--yes", "--remote", postgres.url(name))
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    assert dump(postgres, name) == dump(postgres, TEMPLATE)
    assert migrate(postgres.dsn(name), share("supabase", "migrations")) == []


def test_after_our_migrations_the_supabase_cli_says_up_to_date(
    postgres: EmbeddedPostgres, new_database: NewDatabase, workdir: Path
) -> None:
    name = new_database()
    migrate(postgres.dsn(name), share("supabase", "migrations"))
    pushed = supabase(workdir, "db", "push", "--yes", "--remote", postgres.url(name))
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    assert "up to date" in pushed.stdout


_GRANTS = """
select n.nspname, c.relname, 'relation', coalesce(r.rolname, 'public'), a.privilege_type
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 cross join lateral aclexplode(
         coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))) a
  left join pg_roles r on r.oid = a.grantee
 where n.nspname in ('public', 'private', 'engine') and c.relkind in ('r', 'v', 'm', 'S')
union all
select n.nspname, p.oid::regprocedure::text, 'function', coalesce(r.rolname, 'public'), a.privilege_type
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a left join pg_roles r on r.oid = a.grantee
 where n.nspname in ('public', 'private', 'engine')
"""


def test_on_an_older_supabase_project_that_grants_everything_by_default_nobody_gets_more(
    postgres: EmbeddedPostgres, new_database: NewDatabase
) -> None:
    name = new_database()
    with psycopg.connect(postgres.dsn(name), autocommit=True) as owner:
        for what in ("tables", "functions", "sequences"):
            owner.execute(
                f"alter default privileges in schema public grant all on {what} to anon, authenticated, service_role".encode()
            )
    migrate(postgres.dsn(name), share("supabase", "migrations"))
    with psycopg.connect(postgres.dsn(name)) as generous, psycopg.connect(postgres.dsn(TEMPLATE)) as usual:
        more = set(generous.execute(_GRANTS).fetchall()) ^ set(usual.execute(_GRANTS).fetchall())
    assert more == set()


def test_tasks_and_trips_reach_supabase_realtime(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.dsn(TEMPLATE)) as connection:
        published = connection.execute(
            "select schemaname || '.' || tablename from pg_publication_tables where pubname = 'supabase_realtime'"
        ).fetchall()
    assert sorted(published) == [("public.appointments",), ("public.background_tasks",)]


def test_drivers_telephone_numbers_survive_becoming_e164(
    postgres: EmbeddedPostgres, new_database: NewDatabase, workdir: Path
) -> None:
    """What people had typed before the office sent texts: a number becomes one, and what is none is kept in the notes."""
    name = new_database()
    later = [file for file in sorted((workdir / "supabase" / "migrations").iterdir()) if file.name >= "20261125000200"]
    kept = {file: file.read_bytes() for file in later}
    for file in later:
        file.unlink()
    migrate(postgres.dsn(name), workdir / "supabase" / "migrations")
    with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
        for place, phone in enumerate(("902-555-0171", "1 (902) 555 0172", "+19025550173", "ask at the desk", None)):
            connection.execute(
                "insert into drivers (first_name, last_name, email, phone) values ('A', 'B', %s, %s)", (f"{place}@x.test", phone)
            )
        connection.execute(
            "insert into clients (knumber, firstname, lastname, phone, civicaddress, city, prov, postalcode, status)"
            " values ('K1234567', 'Jane', 'Roe', '+19025550123', '1 High St', 'Halifax', 'NS', 'B3H 1A1', 'archived')"
        )
    for file, content in kept.items():
        file.write_bytes(content)
    migrate(postgres.dsn(name), workdir / "supabase" / "migrations")
    with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
        drivers = connection.execute("select phone, notes from drivers order by email").fetchall()
        client = connection.execute("select active, status from clients").fetchall()
    assert drivers == [
        ("+19025550171", None), ("+19025550172", None), ("+19025550173", None),
        (None, "Telephone, as it was written: ask at the desk"), (None, None),
    ]  # fmt: skip
    assert client == [(False, "archived")]
    assert dump(postgres, name) == dump(postgres, TEMPLATE)


# ── Supabase's advisors ──


def test_supabases_advisors_have_no_warning(postgres: EmbeddedPostgres, workdir: Path) -> None:
    assert advise(postgres, TEMPLATE, workdir) == (0, [])


def test_supabases_advisors_would_warn_of_a_careless_table(
    postgres: EmbeddedPostgres, new_database: NewDatabase, workdir: Path
) -> None:
    """Otherwise the test above would prove nothing."""
    name = new_database()
    with psycopg.connect(postgres.dsn(name), autocommit=True) as owner:
        owner.execute("create table public.careless (id int primary key); grant all on public.careless to anon")
    status, lints = advise(postgres, name, workdir)
    assert status == 1
    assert any("careless" in lint for lint in lints)


# ── Older majors ──


@pytest.mark.parametrize(
    "newer",
    [r"\buuidv7\b", r"\bvirtual\b", r"\bjson_table\b", r"\bmerge\b", r"\bany_value\b", r"nulls not distinct", r"\bmaintain\b"],
)
def test_nothing_is_used_that_postgres_15_does_not_know(newer: str) -> None:
    for file in share("sql").glob("*.sql"):
        code = re.sub(r"--.*", "", file.read_text())
        assert not re.search(newer, code, re.IGNORECASE), file.name
