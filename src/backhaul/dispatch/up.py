"""`backhaul up`: the whole product from one command.

Database, schema, stand-ins, worker, API and demo data, as one family of processes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from backhaul.core.errors import Problem
from backhaul.core.migrations import migrate
from backhaul.core.share import share
from backhaul.core.store import Store
from backhaul.dispatch import demo, importing
from backhaul.dispatch.database import Access, database
from backhaul.dispatch.settings import Settings

START_S = 60.0
STOP_S = 30.0

Say = Callable[[str], object]


@dataclass
class Child:
    """One process of the family; started again when it dies by itself."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    announced: threading.Event = field(default_factory=threading.Event)
    said: str = ""

    def start(self) -> None:
        """In a session of its own, so that Ctrl-C reaches it through us.

        A pipe on its standard input tells it, by its end, when we have ended, however we did.
        """
        self._close_pipe()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  (our own programs, with arguments of our own)
                self.command,
                env=dict(self.env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.started = time.monotonic()
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        """Until it has ended; past the deadline it is killed."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._close_pipe()

    def stay_at(self, address: str) -> None:
        """Started again, it is to be found where it was: the others know it by this address."""
        if "--port" in self.command:
            self.command[self.command.index("--port") + 1] = address.rsplit(":", 1)[-1]

    def _close_pipe(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """The first line that it prints is its announcement: "... ready <where>"."""
        stream = process.stdout
        if stream is None:
            return
        with stream:
            for line in stream:
                if not self.announced.is_set():
                    self.said = line.decode(errors="replace").strip()
                    self.announced.set()


class Family:
    """The children, in the order in which they are started; stopped in the reverse order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._children: list[Child] = []
        self.stopping = threading.Event()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> str:
        """Starts a child and waits for its announcement; returns its last word, e.g. its address. Raises: Problem."""
        child = Child(name, list(command), {**os.environ, **env}, self._settings.home / "logs" / f"{name}.log")
        self._children.append(child)
        child.start()
        deadline = time.monotonic() + START_S
        while not child.announced.wait(0.05):
            dead = child.process is not None and child.process.poll() is not None
            if (dead and not child.announced.wait(0.2)) or time.monotonic() > deadline:
                raise Problem(f"{name} did not start", _tail(child.log), f"The whole story is in {child.log}", code="up.child")
        address = child.said.rsplit(" ", 1)[-1]
        child.stay_at(address)
        return address

    def watch(self, say: Say) -> None:
        """Until told to stop: a child that died is started again, later and later if it keeps dying."""
        while not self.stopping.wait(0.2):
            for child in self._children:
                if child.process is None or child.process.poll() is None:
                    continue
                if time.monotonic() - child.started > 60:
                    child.deaths = 0
                if time.monotonic() - child.started < min(30, 0.5 * 2**child.deaths):
                    continue
                child.deaths += 1
                say(f"{child.name} ended unexpectedly ({child.process.returncode}) and is started again; see {child.log}")
                child.start()

    def stop(self) -> None:
        """One after the other: the worker may still need the stand-ins to finish what it has in hand."""
        deadline = time.monotonic() + STOP_S
        for child in reversed(self._children):
            child.stop()
            child.wait(deadline)


def up(settings: Settings, *, stand_ins: bool, with_demo: bool, say: Say) -> None:
    """Starts everything, says where it is, and stops everything on Ctrl-C or SIGTERM. Raises: Problem."""
    _make_sure_of_port(settings["host"], settings["port"])
    family = Family(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: family.stopping.set())
    say("database …")
    with database(settings) as access:
        applied = migrate(access.owner, share("supabase", "migrations"))
        say(f"schema: {len(applied)} migrations applied" if applied else "schema: up to date")
        try:
            _start(family, settings, access, stand_ins, say, with_demo=with_demo)
            family.watch(say)
        finally:
            say("stopping …")
            family.stop()
    say("stopped")


def _make_sure_of_port(host: str, port: int) -> None:
    """Before anything is started: most often the port is taken by a Backhaul that runs already."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise Problem(
            f"Nothing can listen on {host}, port {port}",
            f"{error.strerror}; perhaps another `backhaul up` runs already",
            "Stop it, or choose another port: backhaul up --port 8081, or BACKHAUL_PORT",
            code="up.port",
        ) from error


def _start(family: Family, settings: Settings, access: Access, stand_ins: bool, say: Say, *, with_demo: bool) -> None:
    env = {"BACKHAUL_HOME": str(settings.home), "BACKHAUL_DEMO": "yes" if with_demo else "no"}
    if stand_ins:
        env["BACKHAUL_STAND_INS"] = _start_stand_ins(family, settings, say)
    password = asyncio.run(_demo(access, settings["demo_password"])) if with_demo else None
    try:
        family.start("worker", [sys.executable, "-m", "backhaul", "worker", "--until-stdin-closes"], env)
        command = [sys.executable, "-m", "backhaul", "serve", "--port", str(settings["port"]), "--until-stdin-closes"]
        address = family.start("api", command, env)
        _wait_until_well(address, family)
    except Problem:
        if with_demo:
            _say_how_to_sign_in(say, password)  # it is never shown again
        raise
    if family.stopping.is_set():
        return
    say(f"ready {address}")
    if with_demo:
        _say_how_to_sign_in(say, password)
    say(f"state and logs: {settings.home} · Ctrl-C stops all of it")


def _start_stand_ins(family: Family, settings: Settings, say: Say) -> str:
    """The address is only for us, so any free port serves."""
    home = settings.home / "stand-ins"
    command = [sys.executable, "-m", "backhaul.sandbox", "--port", "0", "--home", str(home), "--until-stdin-closes"]
    address = family.start("stand-ins", command, {})
    (home / "address").write_text(address, "utf-8")  # where `backhaul sandbox fail` finds them
    say(f"stand-ins for Google Maps, Quo and Slack: {address} (nothing leaves this machine)")
    return address


async def _demo(access: Access, password: str | None) -> str | None:
    store = Store(access.login, at_least=1, at_most=2)
    await store.open()
    try:
        made = await demo.put_people(store, password)
        await demo.put_places(store)
        if await demo.wants_clients(store):
            async with importing.acting_as(store, "agent@demo.test") as agent:
                await importing.import_clients(store, importing.read(demo.CLIENTS), agent)
    finally:
        await store.close()
    return made


def _say_how_to_sign_in(say: Say, password: str | None) -> None:
    say("sign in as " + ", ".join(person[0] for person in demo.PEOPLE))
    if password is not None:
        say(f"password: {password}   (shown once; BACKHAUL_DEMO_PASSWORD sets another)")
    else:
        say("password: the one shown at the first start; BACKHAUL_DEMO_PASSWORD sets another")


def _wait_until_well(address: str, family: Family) -> None:
    deadline = time.monotonic() + START_S
    last = ""
    while time.monotonic() < deadline and not family.stopping.is_set():
        try:
            answer = httpx.get(f"{address}/health/ready", timeout=2, trust_env=False)
        except httpx.HTTPError as error:
            last = type(error).__name__
        else:
            if answer.status_code == 200:
                return
            last = "; ".join(f"{name}: {check['what']}" for name, check in answer.json()["checks"].items() if not check["ok"])
        time.sleep(0.1)
    if not family.stopping.is_set():
        raise Problem("Backhaul did not become ready", last, "See the logs under its home", code="up.ready")


def _tail(log: Path) -> str:
    try:
        return " / ".join(log.read_text("utf-8", errors="replace").splitlines()[-5:])[-1500:]
    except OSError as error:
        return str(error)
