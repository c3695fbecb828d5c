"""A whole Backhaul for the benchmark: real processes, a real disk, nothing outside but the stand-ins."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen
from uuid import UUID

import psycopg

from backhaul.core.embedded import EmbeddedPostgres
from backhaul.core.migrations import migrate
from backhaul.core.passwords import Passwords
from backhaul.core.share import share

PASSWORD = "bench-password"  # noqa: S105  (of people who exist for minutes)
_PUT_USER = "select private.put_user(%s, %s, %s, %s)"


class House:
    """Started by entering it. `address`: the API; `dsn`: the owner's way into the database; `login`: the program's own."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="backhaul-bench-", dir=Path.home()))
        self.home = Path(folder)
        self._postgres = self._stack.enter_context(EmbeddedPostgres(self.home / "postgres"))
        migrate(self._postgres.dsn(), share("supabase", "migrations"))
        self.dsn, self.login = self._postgres.dsn(), self._postgres.dsn(user="authenticator")
        with psycopg.connect(self.dsn, autocommit=True) as database:
            self._hashed = asyncio.run(Passwords().hash(PASSWORD))
            for role in ("booking_agent", "admin"):
                database.execute(_PUT_USER, (f"{role}@bench.test", role, role, self._hashed))
            row = database.execute("show server_version").fetchone()
            self.postgres_version = row[0] if row else "?"
        self.stand_ins = self._run("-m", "backhaul.sandbox", "--home", str(self.home / "stand-ins"), "--quo-per-second", "0")
        self.address = self._run("-m", "backhaul", "serve", "--port", "0")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def worker(self) -> ExitStack:
        """One more worker, until the stack is closed."""
        stack = ExitStack()
        self._run("-m", "backhaul", "worker", stack=stack)
        return stack

    def noop_worker(self, log: Path) -> ExitStack:
        """One more worker that knows a task type which does nothing, and notes in `log` when each began."""
        stack = ExitStack()
        self._run("-m", "bench.noop_worker", self.login, str(log), stack=stack)
        return stack

    def call(self, path: str, body: Any = None, token: str | None = None) -> Any:
        """One request, outside of any measurement."""
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.address}{path}", data=data, headers=headers)) as answer:  # noqa: S310  (our own address)
            return json.load(answer)

    def people(self, kind: str, count: int) -> list[str]:
        """The names of that many more people who can sign in."""
        names = [f"{kind}{number}@bench.test" for number in range(count)]
        with psycopg.connect(self.dsn, autocommit=True) as database:
            for name in names:
                database.execute(_PUT_USER, (name, kind, "booking_agent", self._hashed))
        return names

    def sign_in(self, role: str = "booking_agent") -> tuple[str, UUID]:
        """An access token, and whose it is."""
        said = self.call("/webhook/user-login", {"username": f"{role}@bench.test", "password": PASSWORD})
        return said["access_token"], UUID(said["userId"])

    def _run(self, *command: str, stack: ExitStack | None = None) -> str:
        env = {**os.environ, "BACKHAUL_HOME": str(self.home), "DATABASE_URL": self.login, "BACKHAUL_LOG_LEVEL": "error"}
        env |= {"BACKHAUL_MAPS_ELEMENTS_PER_MINUTE": "600000"}
        if hasattr(self, "stand_ins"):
            env["BACKHAUL_STAND_INS"] = self.stand_ins
        process = subprocess.Popen([sys.executable, *command], env=env, stdout=subprocess.PIPE, text=True)
        (stack or self._stack).callback(_end, process)
        line = process.stdout.readline() if process.stdout else ""
        if "ready" not in line:
            raise RuntimeError(f"{command} did not start: {line!r}")
        return line.split()[-1]


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
