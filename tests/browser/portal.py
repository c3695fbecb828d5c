"""The product as it runs for people, started by `backhaul up`; and what a test may arrange behind the scenes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import httpx
import psycopg

from backhaul.core.embedded import EmbeddedPostgres
from backhaul.core.tokens import ACCESS_LIFE, Tokens

PASSWORD = "what the demo people use 1"
START_S = 120.0

_CREATE = """
select public.create_background_task('client', %(client)s, %(label)s, %(type)s, u.id)
  from public.users u where u.username = %(owner)s
"""


class Portal:
    """`backhaul up`, with all its state under `home`. settings: further ones, by their environment variable."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.home = home / "state"
        self._log = home / "up.log"
        chosen = {
            "BACKHAUL_HOME": str(self.home),
            "BACKHAUL_PORT": self.url.rpartition(":")[2],
            "BACKHAUL_DEMO_PASSWORD": PASSWORD,
        }
        env = {name: value for name, value in os.environ.items() if not name.startswith("BACKHAUL_")} | chosen | settings
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "backhaul", "up"], env=env, stdout=log, stderr=log)
        self.signed_in = cache(self._sign_in)

    def wait_until_ready(self) -> None:
        """Raises: RuntimeError with what it printed, when it ended or did not get ready."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if f"ready {self.url}" in self._log.read_text():
                return
            time.sleep(0.1)
        raise RuntimeError(f"`backhaul up` did not get ready:\n{self._log.read_text()}")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    # ── Behind the scenes ──

    def tidy(self) -> None:
        """Nobody has an open failure, and no service is on hold: what an earlier test left is not this one's matter."""
        with self.database() as database:
            database.execute("select private.release_service(name) from private.services")
            database.execute(
                "select public.dismiss_all_failed_tasks(id, everybody => true) from public.users where role = 'admin'"
            )

    def fault(self, service: str, fault: str, times: int | None = None) -> None:
        """Makes a stand-in fail, as an administrator would; `ok` ends it."""
        order = {"service": service, "fault": fault} | ({"times": times} if times else {})
        self.ask("admin", "POST", "/sandbox/faults", order)

    def release(self) -> None:
        """Lets the stand-ins answer the calls that they hold."""
        address = (self.home / "stand-ins" / "address").read_text()
        httpx.post(f"{address}/_stand-ins/release", trust_env=False).raise_for_status()

    def client(self, first: str, last: str, *, by: str = "agent", **fields: Any) -> dict[str, Any]:
        """A client saved without the pages. Returns the answer, with the client's `label` as tasks carry it."""
        typed = {
            "firstName": first, "lastName": last, "phone": "902-555-0123", "email": "jane@example.test",
            "civicAddress": "25 Water Street", "city": "Digby", "province": "NS", "postalCode": "B0V 1A0", "active": True,
        }  # fmt: skip
        number = new_number()
        answer = self.ask(by, "POST", "/webhook/add-client", {"kNumber": number, "clientData": typed | fields})
        return answer | {"label": f"{first} {last} ({number})", "kNumber": number}

    def failure(
        self,
        label: str = "Jane Roe (K7654321)",
        *,
        of: str = "agent",
        client_id: str | UUID | None = None,
        task_type: str = "send_notification",
        message: str = "Quo does not accept our key. It was deleted or mistyped.",
        code: str = "quo.401",
        hint: str = "A Quo owner or admin makes a new one under Workspace Settings → API",
    ) -> UUID:
        """A task of this person that has failed; of a type that no worker of ours takes, so that a retry leaves it pending."""
        said = {
            "client": client_id or uuid4(), "label": label, "type": task_type, "owner": f"{of}@demo.test",
            "message": message, "code": code, "hint": hint,
        }  # fmt: skip
        with self.database() as database, database.transaction():
            (task_id,) = database.execute(_CREATE, said).fetchone() or (None,)
            database.execute("select public.start_background_task(%s, 'a test')", [task_id])
            database.execute(
                "select public.fail_background_task(%(task)s, %(message)s, %(code)s, %(hint)s)", said | {"task": task_id}
            )
        assert isinstance(task_id, UUID)
        return task_id

    def person(self, name: str, role: str) -> None:
        """One more who may sign in, with the same password as the demo people."""
        with self.database() as database:
            database.execute(
                "select private.put_user(%s, %s, %s, password_hash) from private.find_credentials('agent@demo.test')",
                [f"{name}@demo.test", f"{name.title()} Demo", role],
            )

    def expired(self, access_token: str) -> str:
        """The same access token once its quarter of an hour is over."""
        secret = (self.home / "secrets" / "jwt_secret").read_text()
        claims = Tokens(secret).read(access_token)
        earlier = Tokens(secret, now=lambda: datetime.now(UTC) - ACCESS_LIFE - timedelta(minutes=1))
        return earlier.issue(claims.user_id, claims.session_id, claims.role)

    def ask(self, who: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """A call in the name of a demo person. Raises: HTTPStatusError."""
        with httpx.Client(base_url=self.url, trust_env=False) as line:
            token = self.signed_in(who)["access_token"]
            answer = line.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    def count(self, statement: LiteralString) -> int:
        with self.database() as database:
            (found,) = database.execute(statement).fetchone() or (0,)
        return int(found)

    def database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(EmbeddedPostgres(self.home / "postgres").dsn(), autocommit=True)

    def _sign_in(self, who: str) -> dict[str, Any]:
        with httpx.Client(base_url=self.url, trust_env=False) as line:
            answer = line.post("/webhook/user-login", json={"username": f"{who}@demo.test", "password": PASSWORD})
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said


def new_number() -> str:
    """A K number nobody has."""
    return f"K{uuid4().int % 9_000_000 + 1_000_000}"


def _free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
        return port
