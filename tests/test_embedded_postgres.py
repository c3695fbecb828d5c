"""The embedded Postgres: what every program that starts it, and whoever kills one of them, may rely on.

The programs here are real processes, killed as the system kills: without a word.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from backhaul.core.embedded import EmbeddedPostgres, binaries, databases, throwaway, throwaway_postgres
from backhaul.core.embedded.account import server_account
from backhaul.core.embedded.locks import is_free
from backhaul.core.errors import Problem

MEMORY = Path("/dev/shm")  # noqa: S108  # each test makes a closed folder of its own in it

CLIENT = """
import sys
from pathlib import Path
from backhaul.core.embedded import EmbeddedPostgres

with EmbeddedPostgres(Path(sys.argv[1]), fsync=False):
    print("up", flush=True)
    sys.stdin.read()
"""

# The same, but killed at the moment it reaches the place named by its second argument.
KILLED_CLIENT = """
import os, pkgutil, signal, sys
from pathlib import Path
from unittest.mock import patch
from backhaul.core.embedded import EmbeddedPostgres

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

with patch(sys.argv[2], die):
    EmbeddedPostgres(Path(sys.argv[1]), fsync=False).start()
"""


def eventually(condition: Callable[[], object], *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Clients:
    """Processes that use the server of one home."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.running: list[subprocess.Popen[str]] = []

    def begin(self) -> subprocess.Popen[str]:
        client = subprocess.Popen(  # noqa: S603  # the program above
            [sys.executable, "-c", CLIENT, str(self._home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.running.append(client)
        return client

    def begin_and_wait(self) -> subprocess.Popen[str]:
        client = self.begin()
        self.wait_until_up(client)
        return client

    def wait_until_up(self, client: subprocess.Popen[str]) -> None:
        assert client.stdout
        assert client.stdout.readline() == "up\n"

    def kill(self, client: subprocess.Popen[str]) -> None:
        client.kill()
        client.communicate()
        self.running.remove(client)

    def kill_all(self) -> None:
        for client in list(self.running):
            self.kill(client)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Closed to all others, as root's own folder is; in memory where there is such, as making files takes most of the time."""
    folder = Path(tempfile.mkdtemp(prefix="backhaul-test-", dir=MEMORY if MEMORY.is_dir() else None))
    yield folder
    locks = list(folder.rglob("server.lock"))
    eventually(lambda: all(is_free(lock) for lock in locks))
    shutil.rmtree(folder)


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "home"


@pytest.fixture
def clients(home: Path) -> Iterator[Clients]:
    clients = Clients(home)
    yield clients
    clients.kill_all()


def embedded(home: Path, **settings: str) -> EmbeddedPostgres:
    return EmbeddedPostgres(home, fsync=False, settings=settings)


def ask(postgres: EmbeddedPostgres, question: str, *, database: str = "backhaul", user: str = "postgres") -> object:
    with psycopg.connect(postgres.dsn(database, user)) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row
    return row[0]


def tell(postgres: EmbeddedPostgres, statement: str, *, database: str = "backhaul") -> None:
    with psycopg.connect(postgres.dsn(database)) as connection:
        connection.execute(statement.encode())


def answers(postgres: EmbeddedPostgres) -> bool:
    try:
        return ask(postgres, "select true") is True
    except psycopg.OperationalError:
        return False


def server_pid(home: Path) -> int:
    return int((home / "server" / "data" / "postmaster.pid").read_text().splitlines()[0])


def keeper_pid(home: Path) -> int:
    return int(re.findall(r"\[(\d+)\] keeper: looking after", log(home))[-1])


def lives(pid: int) -> bool:
    """A dead process whose parent has not yet asked about it is dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    about = Path(f"/proc/{pid}/stat")
    return not (about.exists() and about.read_text().rpartition(")")[2].split()[0] == "Z")


def log(home: Path) -> str:
    return (home / "server" / "server.log").read_text()


# ── Several programs, one server ──


def test_eight_simultaneous_starters_get_one_server_that_outlives_seven_killed_and_stops_after_the_last(
    home: Path, clients: Clients
) -> None:
    for _ in range(8):
        clients.begin()
    for client in clients.running:
        clients.wait_until_up(client)
    server = server_pid(home)
    assert log(home).count("starting PostgreSQL") == 1

    for client in clients.running[:7]:
        clients.kill(client)
    assert answers(EmbeddedPostgres(home))
    assert server_pid(home) == server
    assert "shut down" not in log(home).partition("ready to accept")[2]

    clients.kill_all()
    eventually(lambda: not lives(server))
    assert log(home).rstrip().endswith("database system is shut down")


def test_server_stops_with_the_last_holder_and_keeps_the_data(home: Path) -> None:
    with embedded(home) as first:
        with embedded(home):
            pass
        tell(first, "create table kept as select 42 as answer")
        server = server_pid(home)
    assert not lives(server)
    with embedded(home) as again:
        assert ask(again, "select answer from kept") == 42


def test_newcomer_during_shutdown_gets_a_new_server(home: Path) -> None:
    first = embedded(home).start()
    with psycopg.connect(first.dsn()):  # a session to end makes the shutdown longer
        first._let_go()
        with embedded(home) as second:
            assert answers(second)


# ── Killed without a word ──


def test_killed_server_is_started_again_for_those_who_use_it(home: Path) -> None:
    with embedded(home) as postgres:
        tell(postgres, "create table kept as select 42 as answer")
        killed = server_pid(home)
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: not lives(killed))
        eventually(lambda: answers(postgres), within_s=5)
        assert ask(postgres, "select answer from kept") == 42


@pytest.mark.parametrize("server_too", [False, True], ids=["keeper", "keeper and server"])
def test_start_succeeds_after_a_kill_of_the(home: Path, clients: Clients, server_too: bool) -> None:
    clients.begin_and_wait()
    server, keeper = server_pid(home), keeper_pid(home)
    os.kill(keeper, signal.SIGKILL)
    if server_too:
        os.kill(server, signal.SIGKILL)
    began = time.monotonic()
    with embedded(home) as postgres:
        assert answers(postgres)
        assert server_pid(home) != server
        assert time.monotonic() - began < 5
    eventually(lambda: not lives(server))


def test_server_does_not_outlive_a_killed_keeper(home: Path, clients: Clients) -> None:
    clients.begin_and_wait()
    server = server_pid(home)
    os.kill(keeper_pid(home), signal.SIGKILL)
    eventually(lambda: not lives(server))


def test_program_can_bring_back_a_lost_server_by_starting_again(home: Path) -> None:
    with embedded(home) as postgres:
        os.kill(keeper_pid(home), signal.SIGKILL)
        eventually(lambda: is_free(home / "server.lock"))
        assert answers(postgres.start())


def test_starter_that_a_shell_put_into_the_background_leaves_no_server_when_it_is_killed(home: Path) -> None:
    """Its SIGINT is ignored, and so is that of whatever it starts, until that asks for it: a server that is new does not yet."""
    program = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{KILLED_CLIENT}"
    place = "backhaul.core.embedded.server.EmbeddedPostgres._serves"
    killed = subprocess.run([sys.executable, "-c", program, str(home), place], check=False)  # noqa: S603  # the program above
    assert killed.returncode == -signal.SIGKILL
    eventually(lambda: is_free(home / "keeper.lock") and is_free(home / "server.lock"))


@pytest.mark.parametrize(
    "place",
    [
        "pathlib.Path.rename",  # initdb has run, its result is not in place
        "backhaul.core.embedded.server.EmbeddedPostgres._serves",  # the keeper is starting the server
        "backhaul.core.embedded.server.prepare_database",  # the server runs, without our database
        "psycopg.Connection.commit",  # our database is there, and empty
    ],
)
def test_start_succeeds_after_a_starter_was_killed_at(home: Path, place: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_CLIENT, str(home), place], check=False)  # noqa: S603  # the program above
    assert killed.returncode == -signal.SIGKILL
    with embedded(home) as postgres:
        assert ask(postgres, "select auth.uid() is null")
    assert [path.name for path in (home / "server").glob("data*")] == ["data"]


def test_number_of_a_dead_server_that_a_stranger_has_now_keeps_nobody_from_starting(home: Path) -> None:
    with embedded(home):
        left_behind = (home / "server" / "data" / "postmaster.pid").read_text().splitlines()
    account = server_account(home / "server")
    stranger = subprocess.Popen(["/bin/sleep", "60"], user=account.uid if account else None)
    try:
        stale = home / "server" / "data" / "postmaster.pid"
        stale.write_text("\n".join([str(stranger.pid), *left_behind[1:]]) + "\n")
        with embedded(home) as postgres:
            assert answers(postgres)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


# ── Wherever the home is ──


@pytest.mark.parametrize("name", ["a home", "it's, say; “home” 100%", "/".join(["deep"] * 60)], ids=["space", "odd", "deep"])
def test_home_may_be_called_anything(folder: Path, name: str) -> None:
    home = folder / name
    with embedded(home) as postgres:
        assert answers(postgres)
        listed = subprocess.run(  # noqa: S603  # a program of the wheel
            [postgres.programs / "psql", postgres.url(), "-Atc", "select current_user"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert listed.stdout == "postgres\n"


def test_home_of_a_stranger_is_refused_with_advice(tmp_path: Path) -> None:
    home = tmp_path / "a file"
    home.write_text("not a folder")
    with pytest.raises(Problem, match="choose another home"):
        embedded(home).start()


def test_only_the_server_and_its_owner_reach_the_files_and_the_socket(home: Path) -> None:
    with embedded(home) as postgres:
        assert (home / "server").stat().st_mode & 0o777 == 0o700
        assert ask(postgres, "show listen_addresses") == ""
        assert Path(f"/proc/{server_pid(home)}").stat().st_uid == (home / "server").stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server an account that cannot read everything")
def test_programs_in_a_private_folder_are_copied_and_the_folder_stays_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    package = binaries.installed().parent.parent
    shutil.copytree(package, private / package.name)
    shutil.copytree(package.with_name(f"{package.name}.libs"), private / f"{package.name}.libs")
    private.chmod(0o700)
    monkeypatch.setattr(binaries, "installed", lambda: private / package.name / "pginstall" / "bin")
    reachable = Path("/var/tmp", f"backhaul-test-{os.getpid()}")  # noqa: S108  # a folder that everybody may enter is the point
    monkeypatch.setattr(binaries, "_SYSTEM_COPIES", reachable)
    try:
        with throwaway_postgres() as postgres:  # its home is closed as well, so that a copy in there would be of no use
            assert answers(postgres)
            account = server_account(postgres.home / "server")
            assert account
            assert binaries.runnable(postgres.home, account).is_relative_to(reachable)
            monkeypatch.setattr(binaries, "_SYSTEM_COPIES", tmp_path / "closed as well" / "copies")
            with pytest.raises(Problem, match="cannot be started by root"):
                binaries.runnable(postgres.home, account)
    finally:
        shutil.rmtree(reachable)
    assert private.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what another process was started with")
def test_secrets_in_the_environment_are_not_handed_down_to_what_outlives_the_program(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROBE_OF_A_SECRET", "do not hand down")
    with embedded(home):
        for pid in (keeper_pid(home), server_pid(home)):
            given = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"PATH=" in given
            assert b"PROBE_OF_A_SECRET" not in given


# ── What it serves ──


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    with throwaway_postgres({"work_mem": "5MB"}) as postgres:
        yield postgres


def test_application_owns_its_database_but_is_not_a_superuser(postgres: EmbeddedPostgres) -> None:
    assert ask(postgres, "select datdba::regrole::text from pg_database where datname = current_database()") == "postgres"
    assert ask(postgres, "select rolsuper from pg_roles where rolname = current_user") is False
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(postgres, "copy (select 1) to program 'true'")


def test_settings_reach_the_server(postgres: EmbeddedPostgres) -> None:
    shown = [ask(postgres, f"show {name}") for name in ("work_mem", "fsync", "wal_level", "timezone", "server_encoding")]
    assert shown == ["5MB", "off", "logical", "UTC", "UTF8"]


def test_claims_of_a_request_are_what_auth_uid_and_role_say_and_gone_after_its_transaction(postgres: EmbeddedPostgres) -> None:
    claims = '{"sub": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "role": "authenticated", "email": "jane@example.test"}'
    says = "select auth.uid()::text, auth.role(), auth.email(), auth.jwt() ->> 'sub'"
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
        sub = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
        assert connection.execute(says).fetchone() == (sub, "authenticated", "jane@example.test", sub)
        connection.commit()
        assert connection.execute(says).fetchone() == (None, None, None, None)


def test_further_databases_are_prepared_once_and_completed_when_the_shim_has_changed(
    postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.prepare_database("further")
    tell(postgres, "create table public.kept ()", database="further")
    newer = tmp_path / "shim.sql"
    newer.write_text(databases.shim_file().read_text() + "create schema if not exists newer;")
    monkeypatch.setattr(databases, "shim_file", lambda: newer)
    postgres.prepare_database("further")
    postgres.prepare_database("further")
    assert ask(postgres, "select to_regnamespace('newer') is not null and to_regclass('kept') is not null", database="further")


def test_shim_refuses_a_real_supabase(postgres: EmbeddedPostgres) -> None:
    postgres.prepare_database("supabase")
    with psycopg.connect(postgres.dsn("supabase", "supabase_admin")) as connection:
        connection.execute("create table auth.schema_migrations ()")
        with pytest.raises(psycopg.errors.RaiseException, match="this database is a real Supabase"):
            connection.execute(databases.shim_file().read_bytes())


def test_log_keeps_neither_statements_nor_values(postgres: EmbeddedPostgres) -> None:
    for wrong in ("select 'Jane Roe'::uuid", "select 'Jane Roe' from nowhere"):
        with pytest.raises(psycopg.Error):
            ask(postgres, wrong)
    assert "Jane Roe" not in log(postgres.home)


# ── When it cannot start ──


def test_server_that_refuses_its_settings_is_quoted(home: Path) -> None:
    with pytest.raises(Problem, match="Correct the setting's value") as caught:
        embedded(home, shared_buffers="lots").start()
    assert caught.value.code == "embedded.start"
    assert 'invalid value for parameter "shared_buffers": "lots"' in caught.value.why
    with embedded(home) as corrected:
        assert answers(corrected)


def test_files_of_another_version_are_left_alone(home: Path) -> None:
    with embedded(home):
        pass
    (home / "server" / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(Problem, match="Postgres 16 made it"):
        embedded(home).start()


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_PACKAGE", "no_such_postgres")
    with pytest.raises(Problem, match="no-such-postgres") as caught:
        binaries.installed()
    assert "DATABASE_URL" in caught.value.todo


def test_folders_of_killed_runs_are_cleared_away_and_those_in_use_are_not(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = postgres.home.parent
    killed = parent / f"{throwaway._PREFIX}killed-{os.getpid()}"
    killed.mkdir()
    monkeypatch.setattr(throwaway, "_SETTLED_S", -1.0)
    throwaway._remove_abandoned(parent)
    assert not killed.exists()
    assert answers(postgres)
