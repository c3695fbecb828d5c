"""`backhaul up`, as somebody who has just cloned the repository runs it: everything starts, works, survives and ends."""

from __future__ import annotations

import json
import os
import queue
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import httpx
import pytest

from backhaul.core.errors import Problem
from backhaul.core.family import Family, Say
from backhaul.core.testing import Database
from backhaul.dispatch import up as ups
from backhaul.dispatch.database import Access
from backhaul.dispatch.settings import Settings
from tests.api_fixtures import jane, settings_for
from tests.conftest import as_login

PASSWORD = "up-test-password-1"
SLOW_S = 60.0  # how long anything may take on a busy machine before it is called broken


def until(what: str, condition: Callable[[], Any], *, within_s: float = SLOW_S) -> Any:
    """Waits for another process to do something; returns what the condition returned."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)
    return found


def family_of(home: Path) -> dict[int, str]:
    """Every process that belongs to this installation, by its pid: those that have its home in their environment or command."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # it has just ended
            continue
        if os.fsencode(home) in told and state != "Z":
            found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


class Running:
    """One `backhaul up`, and what it prints."""

    def __init__(self, home: Path, *options: str, **env: str) -> None:
        self.home = home
        self.process = subprocess.Popen(  # noqa: S603  (our own program)
            [sys.executable, "-m", "backhaul", "up", "--port", "0", *options],
            env=clean_environment() | {"BACKHAUL_HOME": str(home)} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.said.append(line.rstrip())
                self._lines.put(line.rstrip())

    def hear(self, beginning: str) -> str:
        """The next line that begins so."""
        deadline = time.monotonic() + SLOW_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"it never said {beginning!r}, but: {self.said}") from None
            if line.startswith(beginning):
                return line

    def child(self, word: str) -> int:
        """The pid of the child whose command has this word."""
        return next(
            pid for pid, command in family_of(self.home).items() if f" {word} " in f"{command} " and pid != self.process.pid
        )

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(SLOW_S)
        self._reader.join(SLOW_S)
        return code


def clean_environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BACKHAUL_") and name != "DATABASE_URL"}


@contextmanager
def up(home: Path, *options: str, **env: str) -> Iterator[Running]:
    running = Running(home, *options, **env)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)
        until("nothing is left running", lambda: not family_of(home))
        running._reader.join(SLOW_S)


class Person:
    def __init__(self, address: str, username: str) -> None:
        self._line = httpx.Client(base_url=address, timeout=20, trust_env=False)
        said = self._line.post("/webhook/user-login", json={"username": username, "password": PASSWORD})
        assert said.status_code == 200, said.text
        self._line.headers["authorization"] = f"Bearer {said.json()['access_token']}"

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def get(self, path: str, **params: Any) -> Any:
        answer = self._line.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        answer = self._line.post(path, json=body, headers={"idempotency-key": str(uuid4())})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add(self, knumber: str) -> dict[str, str]:
        ids: dict[str, str] = self.post("/webhook/add-client", jane(kNumber=knumber, lastName="Upton"))["task_ids"]
        return ids

    def task(self, task_id: str) -> Any:
        return self.get("/webhook/get-task", id=task_id)["task"]

    def until_done(self, task_id: str, status: str = "completed") -> Any:
        return until(f"the task is {status}", lambda: (task := self.task(task_id))["status"] == status and task)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Short, because a Unix socket's path may have about 100 letters, and removed with the module."""

    with tempfile.TemporaryDirectory(prefix="bh-up-") as folder:
        yield Path(folder) / "home"


def test_everything_starts_works_survives_and_stops(home: Path) -> None:
    with up(home, BACKHAUL_DEMO_PASSWORD=PASSWORD) as running:
        address = running.hear("ready ").removeprefix("ready ")
        assert "agent@demo.test" in running.hear("sign in as")
        assert PASSWORD in running.hear("password:")
        assert any("postgres" in command for command in family_of(home).values())
        with Person(address, "agent@demo.test") as agent, Person(address, "admin@demo.test") as admin:
            _a_client_is_saved_and_measured(agent)
            _a_fault_is_told_and_mended(agent, admin)
            _a_killed_worker_comes_back(running, agent)
            _a_mail_is_shown_on_the_terminal(running, "https://backhaul.test/#token=before")
            _killed_stand_ins_come_back_where_they_were(running, agent)
            _a_mail_is_shown_on_the_terminal(running, "https://backhaul.test/#token=after")
            _a_killed_api_comes_back_where_it_was(running, address)
            _a_killed_keeper_costs_no_more_than_a_moment(running, agent)
        _a_second_one_is_told_that_this_one_runs(home)
        assert httpx.get(f"{address}/health/ready", trust_env=False).json()["ok"] is True
        began = time.monotonic()
        assert running.end(signal.SIGINT) == 0
        assert time.monotonic() - began < 20
        assert family_of(home) == {}
        assert running.said[-2:] == ["stopping …", "stopped"]
    _logs_have_no_names(home)


def test_a_second_start_keeps_the_data_and_killing_it_leaves_nothing_running(home: Path) -> None:
    with up(home) as running:
        address = running.hear("ready ").removeprefix("ready ")
        assert "schema: up to date" in running.said
        assert "the one shown at the first start" in running.hear("password:")
        with Person(address, "agent@demo.test") as agent:
            found = agent.get("/webhook/get-clients", q="Upton")
            assert found["count"] >= 2
        running.process.kill()
        running.process.wait()
        until("its children ended by themselves", lambda: not family_of(home), within_s=15)


def test_a_start_that_fails_says_why_in_a_few_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = subprocess.run(  # noqa: S603  (our own program)
            [sys.executable, "-m", "backhaul", "up", "--port", port],
            env=clean_environment() | {"BACKHAUL_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=SLOW_S,
            check=False,
        )
    assert told.returncode == 1
    assert f"Nothing can listen on 127.0.0.1, port {port}" in told.stderr
    assert "--port" in told.stderr
    assert "Traceback" not in told.stderr
    assert family_of(tmp_path) == {}


class NoFamily(Family):
    """One whose children never start."""

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> str:
        raise Problem(f"{name} did not start")


def test_the_password_made_at_a_first_start_is_shown_even_if_that_start_fails(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def this_database(_: Settings) -> Iterator[Access]:
        yield Access(database.dsn, as_login(database.dsn), embedded=False)

    monkeypatch.setattr(ups, "Family", NoFamily)
    monkeypatch.setattr(ups, "database", this_database)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    settings = settings_for(tmp_path, BACKHAUL_PORT="0")
    first: list[str] = []
    with pytest.raises(Problem, match="api did not start"):
        ups.up(settings, stand_ins=False, with_demo=True, say=first.append)
    assert any(line.startswith("password: ") and "shown once" in line for line in first)
    assert first[-1] == "stopping …"
    second: list[str] = []
    with pytest.raises(Problem, match="api did not start"):
        ups.up(settings, stand_ins=False, with_demo=True, say=second.append)
    assert any("the one shown at the first start" in line for line in second)
    assert database.value("select count(*) from clients") > 10
    assert database.value("select count(*) from users") == 6


class LinkFamily(Family):
    """One whose children are only noted down, and which looks around once, after a mail has been kept at each place for mails."""

    children: ClassVar[dict[str, Mapping[str, str]]] = {}
    homes: ClassVar[list[Path]] = []

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> str:
        self.children[name] = dict(env)
        return f"http://{name}.test"

    def watch(self, say: Say, also: Callable[[], object] = lambda: None) -> None:
        for place in self.homes:
            place.mkdir(parents=True)
            (place / "new.eml").write_text(f"Subject: kept in {place.parent.name}\n\nlink")
        also()


@pytest.mark.parametrize(
    ("stand_ins", "env", "shown"),
    [
        (True, {}, ["stand-ins"]),
        (False, {}, ["home"]),
        (False, {"BACKHAUL_STAND_INS": "http://127.0.0.1:1"}, ["stand-ins"]),
        (False, {"BACKHAUL_SMTP_URL": "smtp://mail.example.ca"}, []),
        (True, {"BACKHAUL_SMTP_URL": "smtp://mail.example.ca"}, ["stand-ins"]),
    ],
)
def test_mails_are_shown_where_they_are_not_sent_and_their_links_lead_here(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_ins: bool, env: dict[str, str], shown: list[str]
) -> None:
    @contextmanager
    def this_database(_: Settings) -> Iterator[Access]:
        yield Access(database.dsn, as_login(database.dsn), embedded=False)

    home = tmp_path / "home"
    (home / "stand-ins").mkdir(parents=True)
    monkeypatch.setattr(LinkFamily, "homes", [home / "mail", home / "stand-ins" / "mail"])
    monkeypatch.setattr(ups, "Family", LinkFamily)
    monkeypatch.setattr(ups, "database", this_database)
    monkeypatch.setattr(ups, "_wait_until_well", lambda *_: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("backhaul.dispatch.messages.kept_mail.LOOK_S", 0)
    said: list[str] = []
    ups.up(settings_for(home, BACKHAUL_PORT="0", **env), stand_ins=stand_ins, with_demo=False, say=said.append)
    blocks = [line.splitlines() for line in said if line.startswith("── mail")]
    assert [block[2:] for block in blocks] == [[f"Subject: kept in {place}", "", "link", "── end of mail ──"] for place in shown]
    assert LinkFamily.children["worker"]["BACKHAUL_PUBLIC_URL"] == "http://api.test"


def _a_mail_is_shown_on_the_terminal(running: Running, link: str) -> None:
    """Whatever reaches the stand-ins' mail server; it is another after they were killed."""
    stand_ins = (running.home / "stand-ins" / "address").read_text("utf-8")
    port = httpx.get(f"{stand_ins}/_stand-ins/state", trust_env=False).json()["mail"]["port"]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "office@backhaul.test", "ana@demo.test", "A new password"
    mail.set_content(link)
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as server:
        server.send_message(mail)
    running.hear("── mail, kept in ")
    assert running.hear("To: ") == "To: ana@demo.test"
    assert running.hear("Subject: ") == "Subject: A new password"
    assert running.hear("https://") == link


def _a_client_is_saved_and_measured(agent: Person) -> None:
    assert agent.get("/webhook/get-clients", limit=1)["count"] >= 10  # the demo's own
    for task_id in agent.add("K8000001").values():
        agent.until_done(task_id)
    client = agent.get("/webhook/get-client", knumber="K8000001")
    assert client["client"]["drive_times"]["count"] == 12
    assert client["client"]["openphone_contact_id"]


def _a_fault_is_told_and_mended(agent: Person, admin: Person) -> None:
    def idle() -> bool:
        lanes = admin.get("/webhook/get-health")["lanes"]
        return not any(lane["waiting"] or lane["running"] for lane in lanes)

    until("the demo's own work is done: else its tasks would find out first, and this one only wait", idle)
    admin.post("/sandbox/faults", {"service": "quo", "fault": "401"})
    task_id = agent.add("K8000002")["sync_quo"]
    failed = until("the first try ended", lambda: (task := agent.task(task_id))["error_message"] and task)
    assert "Quo" in failed["error_message"]
    admin.post("/sandbox/faults", {"service": "quo", "fault": "ok"})
    if agent.task(task_id)["status"] == "failed":
        agent.post("/webhook/retry-task", {"task_id": task_id})
    agent.until_done(task_id)


def _a_killed_worker_comes_back(running: Running, agent: Person) -> None:
    worker = running.child("worker")
    os.kill(worker, signal.SIGKILL)
    running.hear("worker ended unexpectedly (-9)")
    until("a worker runs again", lambda: any(" worker " in f"{command} " for command in family_of(running.home).values()))
    agent.until_done(agent.add("K8000003")["sync_quo"])
    assert running.child("worker") != worker


def _killed_stand_ins_come_back_where_they_were(running: Running, agent: Person) -> None:
    os.kill(running.child("backhaul.sandbox"), signal.SIGKILL)
    running.hear("stand-ins ended unexpectedly (-9)")
    for task_id in agent.add("K8000004").values():
        agent.until_done(task_id)


def _a_killed_api_comes_back_where_it_was(running: Running, address: str) -> None:
    os.kill(running.child("serve"), signal.SIGKILL)
    running.hear("api ended unexpectedly (-9)")

    def ready() -> bool:
        try:
            return httpx.get(f"{address}/health/ready", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    until("the API answers at its old address", ready)


def _a_killed_keeper_costs_no_more_than_a_moment(running: Running, agent: Person) -> None:
    """The database's parent dies and takes the database with it; somebody must bring it back, and work goes on."""
    keeper = next(pid for pid, command in family_of(running.home).items() if "keeper" in command)
    os.kill(keeper, signal.SIGKILL)

    def save() -> dict[str, str] | None:
        try:
            return agent.add("K7770009")
        except (AssertionError, httpx.HTTPError):  # a 503 while it is away; the key of each click differs, the K number does not
            return None

    agent.until_done(until("the database is back", save)["sync_quo"])


def _a_second_one_is_told_that_this_one_runs(home: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "backhaul", "up", "--port", "0"],
        env=clean_environment() | {"BACKHAUL_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=SLOW_S,
        check=False,
    )
    assert told.returncode == 1
    assert "Backhaul runs already" in told.stderr
    assert "Traceback" not in told.stderr


def _logs_have_no_names(home: Path) -> None:
    written = ""
    for file in (home / "logs").iterdir():
        text = file.read_text("utf-8")
        if file.stem in ("api", "worker"):
            for line in text.splitlines():
                assert isinstance(json.loads(line), dict), line
        written += text
    assert '"event":' in written
    for secret in (
        "Upton",
        "Jane",
        "555-0123",
        "5550123",
        "jane@",
        "High St",
        PASSWORD,
        "agent@demo",
        "K8000001",
        "Bearer",
        "eyJ",
    ):
        assert secret not in written, secret
