"""The command line: what it prints for people, what for scripts, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog

from backhaul import cli
from backhaul.core import logs
from backhaul.core.testing import Database
from tests.conftest import as_login

SECRET = "swordfish-swordfish-swordfish-swordfish"


@dataclass
class Told:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """Runs commands in this process, with an environment and a home of their own."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path, database_url: str
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.home = home
        monkeypatch.setattr(logs, "configure", lambda *_, **__: None)  # it is for a whole process
        for name in ("BACKHAUL_DEMO_PASSWORD", "BACKHAUL_PORT", "BACKHAUL_STAND_INS"):
            monkeypatch.delenv(name, raising=False)
        self.set(BACKHAUL_HOME=str(home), DATABASE_URL=database_url)

    def set(self, **env: str) -> None:
        for name, value in env.items():
            self._monkeypatch.setenv(name, value)

    def run(self, *words: object) -> Told:
        self._monkeypatch.setattr(sys, "argv", ["backhaul", *map(str, words)])
        self._capsys.readouterr()
        with structlog.testing.capture_logs(), pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self._capsys.readouterr()
        code = ended.value.code
        return Told(code if isinstance(code, int) else 0, out, err)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, database: Database) -> Terminal:
    return Terminal(monkeypatch, capsys, tmp_path, as_login(database.dsn))


@pytest.fixture
def owner(database: Database) -> UUID:
    return database.person("booking_agent", "Alex Agent").id


def failed(database: Database, owner: UUID, label: str = "Jane Roe") -> UUID:
    task: UUID = database.value("select create_background_task('client', gen_random_uuid(), %s, 'sync_quo', %s)", label, owner)
    database.all("select start_background_task(%s)", task)
    database.all("select fail_background_task(%s, 'Quo did not [bold]answer[/].', 'quo.500', 'Try again')", task)
    return task


# ── Help and mistakes ───────────────────────────────────────────────────────────────────────────────────────────────


COMMANDS = (
    "", "up", "serve", "worker", "migrate", "import", "archive", "check", "tasks", "tasks list", "tasks show", "tasks retry",
    "tasks dismiss", "users", "users list", "users create-admin", "users reset", "users unlock", "users deactivate",
    "users activate", "users sign-out", "sandbox", "sandbox serve", "sandbox fail", "audit", "audit verify", "audit list",
    "audit export",
)  # fmt: skip


def test_every_command_explains_itself(terminal: Terminal) -> None:
    for command in COMMANDS:
        told = terminal.run(*command.split(), "--help")
        assert told.code == 0
        assert f"Usage: backhaul {command}".strip() in told.out
        assert "until-stdin-closes" not in told.out


def test_it_says_its_version(terminal: Terminal) -> None:
    assert terminal.run("--version").out.strip() == "0.1.0"


def test_python_m_backhaul_is_backhaul() -> None:
    told = subprocess.run([sys.executable, "-m", "backhaul", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: backhaul" in told.stdout


MISTYPED = (
    "fly", "tasks fly", "tasks show x", "tasks show", "tasks list --status odd", "tasks list --limit 0", "serve --port x",
    f"tasks dismiss {uuid4()}", "sandbox fail quo 429 --times 0",
)  # fmt: skip


def test_a_mistyped_command_ends_with_2_and_says_what_is_wrong(terminal: Terminal) -> None:
    for command in MISTYPED:
        told = terminal.run(*command.split())
        assert told.code == 2, command
        assert told.err.strip()
        assert "Traceback" not in told.err


def test_a_database_that_is_not_there_is_told_in_three_lines(terminal: Terminal) -> None:
    terminal.set(DATABASE_URL=f"postgresql://me:{SECRET}@127.0.0.1:1/x?connect_timeout=1")
    for words in (("migrate",), ("tasks", "list"), ("archive", "--json"), ("import", "demo/clients.csv")):
        told = terminal.run(*words)
        assert told.code == 1
        assert "The database" in told.err
        assert "reached" in told.err
        assert "Check DATABASE_URL" in told.err
        assert SECRET not in told.out + told.err


@pytest.mark.parametrize(
    "words", [("tasks", "list"), ("tasks", "show", str(uuid4())), ("archive",), ("import", "demo/clients.csv")]
)
def test_a_database_without_our_schema_sends_one_to_migrate(
    terminal: Terminal, database: Database, words: tuple[str, ...]
) -> None:
    database.all("drop schema private cascade")
    database.all("drop table background_tasks, users cascade")
    told = terminal.run(*words)
    assert told.code == 1
    assert "backhaul migrate" in told.err


def test_a_wrong_setting_is_told_before_anything_is_done(terminal: Terminal) -> None:
    terminal.set(BACKHAUL_PORT="ninety")
    for words in (("check",), ("migrate",), ("tasks", "list"), ("serve",), ("worker",), ("up",)):
        told = terminal.run(*words)
        assert told.code == 1
        assert "The setting port cannot be 'ninety'" in told.err


def test_brackets_in_what_is_told_are_not_taken_for_colours(terminal: Terminal) -> None:
    told = terminal.run("import", "/nowhere/[bold]x[/nope].csv")
    assert told.code == 1
    assert "/nowhere/[bold]x[/nope].csv cannot be read" in told.err


# ── migrate, archive ────────────────────────────────────────────────────────────────────────────────────────────────


def test_migrate_says_when_there_is_nothing_to_do(terminal: Terminal, database: Database) -> None:
    terminal.set(DATABASE_URL=database.dsn)
    assert terminal.run("migrate").out.strip() == "The schema is up to date."
    assert terminal.run("migrate", "--json").json == {"applied": []}


def test_archive_moves_what_is_settled_and_says_how_much(terminal: Terminal, database: Database, owner: UUID) -> None:
    failed(database, owner)
    settled = failed(database, owner)
    database.all("select dismiss_background_task(%s, %s)", settled, owner)
    assert terminal.run("archive").out.strip() == "0 tasks archived"
    database.all("update testing.clock set now = now + interval '8 days'")
    assert terminal.run("archive", "--json").json == {"archived": 1}
    assert database.value("select count(*) from background_tasks_archive where id = %s", settled) == 1
    assert database.value("select count(*) from background_tasks") == 1


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_tasks_is_said_and_is_an_empty_list_for_scripts(terminal: Terminal) -> None:
    assert terminal.run("tasks", "list").out.strip() == "No tasks."
    assert terminal.run("tasks", "list", "--json").json == []


def test_tasks_are_listed_one_to_a_line_with_whole_ids_when_piped(terminal: Terminal, database: Database, owner: UUID) -> None:
    tasks = [failed(database, owner, label="A very long label of a client indeed " * 5) for _ in range(3)]
    lines = terminal.run("tasks", "list").out.splitlines()
    assert len(lines) == 4
    assert {line.split()[0] for line in lines[1:]} == {str(task) for task in tasks}
    assert all("Quo did not [bold]answer[/]." in line and "Alex Agent" in line for line in lines[1:])


def test_tasks_are_listed_by_status_and_type_and_settled_ones_only_when_asked(
    terminal: Terminal, database: Database, owner: UUID
) -> None:
    task = failed(database, owner)
    database.all("select create_background_task('client', gen_random_uuid(), 'X', 'calculate_drive_times', %s)", owner)
    assert len(terminal.run("tasks", "list", "--json").json) == 2
    assert [row["id"] for row in terminal.run("tasks", "list", "--json", "--status", "failed").json] == [str(task)]
    assert [row["id"] for row in terminal.run("tasks", "list", "--json", "--type", "sync_quo").json] == [str(task)]
    assert len(terminal.run("tasks", "list", "--json", "--limit", "1").json) == 1
    database.all("select dismiss_background_task(%s, %s)", task, owner)
    assert terminal.run("tasks", "list", "--json", "--status", "failed").json == []
    assert len(terminal.run("tasks", "list", "--json", "--status", "failed", "--all").json) == 1


def test_a_task_is_shown_whole_also_from_the_archive(terminal: Terminal, database: Database, owner: UUID) -> None:
    task = failed(database, owner)
    shown = terminal.run("tasks", "show", task, "--json").json
    assert (shown["task"]["status"], [one["outcome"] for one in shown["attempts"]], shown["audit"]) == (
        "failed",
        ["failed"],
        None,
    )
    database.all("select dismiss_background_task(%s, %s)", task, owner)
    database.all("update testing.clock set now = now + interval '8 days'")
    database.all("select archive_old_tasks()")
    assert [one["outcome"] for one in terminal.run("tasks", "show", task).json["attempts"]] == ["failed"]
    told = terminal.run("tasks", "show", uuid4())
    assert told.code == 1
    assert "There is no task" in told.err


def test_some_tasks_are_retried_although_others_cannot_be(terminal: Terminal, database: Database, owner: UUID) -> None:
    unknown, waiting, task = uuid4(), failed(database, owner), failed(database, owner)
    database.all("select retry_background_task(%s)", waiting)
    told = terminal.run("tasks", "retry", unknown, waiting, task)
    assert told.code == 1
    lines = told.out.splitlines()
    assert lines[0].startswith(f"{unknown} unchanged There is no task")
    assert lines[1].startswith(f"{waiting} unchanged It is waiting")
    assert lines[2] == f"{task} retried"
    assert database.value("select status from background_tasks where id = %s", task) == "pending"
    assert terminal.run("tasks", "retry", failed(database, owner), "--json").json[0]["changed"] is True


def test_a_dismissal_is_recorded_with_its_person(terminal: Terminal, database: Database) -> None:
    agent = database.person("booking_agent").id
    username = database.value("select username from users where id = %s", agent)
    task, other = failed(database, agent), failed(database, database.person("booking_agent").id)
    assert terminal.run("tasks", "dismiss", task, "--as", username.upper()).out.strip() == f"{task} dismissed"
    assert database.value("select dismissed_by from background_tasks where id = %s", task) == agent
    told = terminal.run("tasks", "dismiss", task, "--as", "nobody")
    assert told.code == 1
    assert "There is no active user nobody" in told.err
    told = terminal.run("tasks", "dismiss", other, "--as", username)
    assert told.code == 1
    assert database.value("select dismissed_at from background_tasks where id = %s", other) is None


# ── check, sandbox ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_check_shows_where_each_setting_comes_from_and_never_a_secret(terminal: Terminal, database: Database) -> None:
    terminal.set(DATABASE_URL=database.dsn, BACKHAUL_JWT_SECRET=SECRET, BACKHAUL_WORKER_TASKS="7")
    (terminal.home / "backhaul.toml").write_text(f'service_key = "{SECRET}"\nhost = "127.0.0.2"', "utf-8")
    told = terminal.run("check")
    assert told.code == 0, told.out + told.err
    rows = {line.split()[0]: line for line in told.out.splitlines() if line.split()}
    assert "environment (BACKHAUL_WORKER_TASKS)" in rows["worker_tasks"]
    assert "backhaul.toml" in rows["host"]
    assert "default" in rows["port"]
    assert rows["jwt_secret"].split()[1] == "set"
    assert rows["database"].split()[1] == "well"
    assert rows["schema"].split()[1] == "well"
    assert "not set" in rows["Quo"]
    assert "\nGoogle Calendar not set" in told.out
    whole = terminal.run("check", "--json")
    assert {one["name"]: one["value"] for one in whole.json["settings"]}["service_key"] == "set"
    assert SECRET not in told.out + told.err + whole.out
    assert all(one["ok"] in (True, None) for one in whole.json["checks"])


def test_check_ends_with_1_when_something_does_not_answer(terminal: Terminal, database: Database) -> None:
    terminal.set(DATABASE_URL=database.dsn, BACKHAUL_STAND_INS="http://127.0.0.1:1")
    told = terminal.run("check", "--json")
    assert told.code == 1
    checks = {one["name"]: one for one in told.json["checks"]}
    assert checks["database"]["ok"] is True
    outside = ("Google Maps", "Quo", "Texts", "Slack", "Google Calendar", "Mail")
    assert [checks[name]["ok"] for name in outside] == [False] * 6
    assert all(checks[name]["todo"] for name in outside)


def test_check_says_that_a_database_does_not_answer_and_still_shows_the_settings(terminal: Terminal) -> None:
    terminal.set(DATABASE_URL=f"postgresql://me:{SECRET}@127.0.0.1:1/x")
    told = terminal.run("check")
    assert told.code == 1
    assert "worker_tasks" in told.out
    assert "Check DATABASE_URL" in told.out
    assert SECRET not in told.out + told.err


def test_faults_cannot_be_set_where_no_stand_ins_run(terminal: Terminal) -> None:
    told = terminal.run("sandbox", "fail", "quo", "429", "--times", "3")
    assert told.code == 1
    assert "No stand-ins are running here" in told.err
    terminal.set(BACKHAUL_STAND_INS="http://127.0.0.1:1")
    told = terminal.run("sandbox", "fail", "quo", "429")
    assert told.code == 1
    assert "The stand-ins do not answer" in told.err


def test_logging_is_left_as_it_was() -> None:
    """The other tests rely on it: a command's own logging is for its own process."""
    assert structlog.get_config()["cache_logger_on_first_use"] is False
