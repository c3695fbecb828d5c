"""A program made of several processes: started in order, watched, started again when they die, and stopped together."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backhaul.core.errors import Problem

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

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []
        self.stopping = threading.Event()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> str:
        """Starts a child and waits for its announcement; returns its last word, e.g. its address. Raises: Problem."""
        child = Child(name, list(command), {**os.environ, **env}, self._logs / f"{name}.log")
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

    def watch(self, say: Say, also: Callable[[], object] = lambda: None) -> None:
        """Until told to stop: a child that died is started again, later and later if it keeps dying.

        also: looked after in between, some times a second.
        """
        while not self.stopping.wait(0.2):
            also()
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


def _tail(log: Path) -> str:
    try:
        return " / ".join(log.read_text("utf-8", errors="replace").splitlines()[-5:])[-1500:]
    except OSError as error:
        return str(error)
