"""Real worker and stand-in processes, for tests that kill, pause and stop them as a system does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

# A worker that dies, as by kill -9, at the moment it reaches the place named by its first argument ("" for none; with "after " in
# front, once it has come through), with the lease and the grace (in seconds) that the next two name, and with the task types of
# the module that the last one names ("" for none).
_WORKER = """
import functools, importlib, os, pkgutil, signal, sys
from contextlib import nullcontext
from datetime import timedelta
from unittest.mock import patch
from backhaul.cli import main, running
from backhaul.core.parent import end_with_parent
from backhaul.core.worker import Worker
from backhaul.dispatch import working

place, lease_s, grace_s, module = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

after, _, name = place.rpartition(" ")
reached = pkgutil.resolve_name(name) if after else None

async def come_through_and_die(*given, **named):
    await reached(*given, **named)
    die()

working.Worker = functools.partial(Worker, lease=timedelta(seconds=lease_s))
running.work = functools.partial(working.work, grace_s=grace_s)
if module:
    importlib.import_module(module)
sys.argv = ["backhaul", "worker", "--until-stdin-closes"]
with patch(name, come_through_and_die if after else die) if place else nullcontext():
    main()
"""


def eventually(condition: Callable[[], T], *, within_s: float = 10.0) -> T:
    """What the condition says once it says yes."""
    deadline = time.monotonic() + within_s
    while not (said := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return said


class Process:
    """One child; killed when its block ends, if it still lives."""

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as errors:
            self._child = subprocess.Popen(  # noqa: S603  # our own programs
                command, env={**os.environ, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def announcement(self) -> str:
        """The last word of the line it prints when it is ready."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert "ready" in line, self.log.read_text("utf-8")
        return line.split()[-1]

    def tell(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def kill(self) -> None:
        """As the system does when memory runs out: without a word."""
        self.tell(signal.SIGKILL)
        self._child.wait()

    def ended(self, *, within_s: float) -> int:
        """Its exit status."""
        return self._child.wait(within_s)

    def said(self, event: str) -> list[dict[str, Any]]:
        """What it logged under that name."""
        lines = (json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()


class StandIn:
    """The stand-ins of a real process, as a person at the demo talks to them."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._web = httpx.Client(base_url=address, trust_env=False)

    def order(self, **fault: object) -> None:
        self._web.post("/_stand-ins/faults", json=fault).raise_for_status()

    def release(self) -> None:
        self._web.post("/_stand-ins/release").raise_for_status()

    def reset(self) -> None:
        self._web.post("/_stand-ins/reset").raise_for_status()

    def held(self) -> int:
        return int(self._web.get("/_stand-ins/faults").json()["held"].get("quo", 0))

    def contacts(self) -> dict[str, int]:
        """How many contacts each external id has."""
        return dict(self._web.get("/_stand-ins/state").json()["quo"]["by_external_id"])

    def texts(self) -> list[dict[str, Any]]:
        """The text messages that were sent, in the order they were."""
        return self.documents("message")

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """All it keeps of a kind (contact, note, message, calendar, event, mail …), in the order they came."""
        return list(self._web.get(f"/_stand-ins/state/{kind}").json()["documents"])

    def mails(self) -> list[dict[str, Any]]:
        """The mails that were taken on: from, to, file."""
        return list(self._web.get("/_stand-ins/state/mail").json()["documents"])

    def calls(self) -> list[dict[str, Any]]:
        """Quo's calls, in the order they came."""
        return list(self._web.get("/_stand-ins/journal", params={"service": "quo"}).json()["calls"])

    def close(self) -> None:
        self._web.close()


@contextmanager
def stand_in_process(home: Path) -> Iterator[StandIn]:
    command = [sys.executable, "-m", "backhaul.sandbox", "--port", "0", "--home", str(home), "--until-stdin-closes"]
    process = Process(command, {}, home / "stand-ins.log")
    try:
        stand_in = StandIn(process.announcement())
        yield stand_in
        stand_in.close()
    finally:
        process.close()


class Workers:
    """Worker processes on one database."""

    def __init__(self, dsn: str, stand_ins: str, home: Path, settings: Mapping[str, str]) -> None:
        self._env = {
            "DATABASE_URL": dsn,
            "BACKHAUL_STAND_INS": stand_ins,
            "BACKHAUL_HOME": str(home),
            "BACKHAUL_LOG_LEVEL": "info",
            **settings,
        }
        self._home = home
        self._all: list[Process] = []

    def start(self, count: int = 1) -> list[Process]:
        """As `backhaul worker` starts them; returns when they are ready."""
        return self._ready(
            [self._begin([sys.executable, "-m", "backhaul", "worker", "--until-stdin-closes"]) for _ in range(count)]
        )

    def start_other(self, *, dies_at: str = "", lease_s: float = 4, grace_s: float = 20, knows: str = "") -> Process:
        """One that dies at a place in the code ("after …": once through it), or has another lease or grace.

        knows: a module whose task types it runs too.
        """
        return self._ready([self._begin([sys.executable, "-c", _WORKER, dies_at, str(lease_s), str(grace_s), knows])])[0]

    def holding(self, leased_by: str) -> Process:
        """The one that the ledger calls by that name."""
        return next(process for process in self._all if f":{process.pid}:" in leased_by)

    def close(self) -> None:
        for process in self._all:
            process.close()

    def _begin(self, command: list[str]) -> Process:
        process = Process(command, self._env, self._home / f"worker-{len(self._all)}.log")
        self._all.append(process)
        return process

    def _ready(self, processes: list[Process]) -> list[Process]:
        for process in processes:
            process.announcement()
        return processes


@contextmanager
def workers_on(dsn: str, stand_ins: str, home: Path, **settings: str) -> Iterator[Workers]:
    """settings: environment variables beside those that every worker has."""
    workers = Workers(dsn, stand_ins, home, settings)
    try:
        yield workers
    finally:
        workers.close()
