"""The product's HTTP face for tests: the whole application over a database whose clock stands still, asked without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import structlog
from argon2 import PasswordHasher
from fastapi import FastAPI

from backhaul.core import logs
from backhaul.core.store import Actor
from backhaul.core.testing import Database
from backhaul.core.worker import Worker
from backhaul.dispatch.app import create_app, put_on, workflows
from backhaul.dispatch.office import Office
from backhaul.dispatch.settings import Settings, load
from tests.conftest import as_login
from tests.fakes import PORTAL, FakeCalendars, FakeMail, FakeMaps, FakeQuo, FakeSlack, FakeTexts

PASSWORD = "a long enough secret 1"
SERVICE_KEY = "the-service-key-of-the-tests-0123456789"
ENVELOPE = {"success", "message", "code", "what", "why", "todo", "statusCode", "request_id", "timestamp"}

_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # the strength is argon2's business, not ours to wait for


def jane(**changed: Any) -> dict[str, Any]:
    """The add-client form as the page sends it."""
    data = {
        "firstName": "Jane", "lastName": "Roe", "phone": "902-555-0123", "email": "Jane@Example.Test",
        "civicAddress": "1 High St", "city": "Halifax", "province": "NS", "postalCode": "b3h1a1", "appointmentLength": 90,
        "notes": "", "emergencyContactName": "", "emergencyContactNumber": "", "active": True,
    }  # fmt: skip
    number = changed.pop("kNumber", "K1234567")
    return {"kNumber": number, "clientData": {**data, **changed}, "selectedClinicIds": []}


def clinic(**changed: Any) -> dict[str, Any]:
    """The add-destination form as the page sends it."""
    return {
        "name": "Valley Clinic", "address": "15 Chipman Dr", "city": "Kentville", "province": "ns", "postal_code": "b4n3v7",
        "notes": "", "active": True, "contacts": [{"name": "Front desk", "phone": "902-555-0155", "email": "", "type": "main"}],
    } | changed  # fmt: skip


@dataclass
class Api:
    """The application, asked as one person or another."""

    app: FastAPI
    line: httpx.AsyncClient
    database: Database

    def token(self, who: Actor) -> str:
        token: str = self.app.state.tokens.issue(who.id, who.session_id, who.role)
        return token

    async def get(self, path: str, *, by: Actor | str | None = None, **params: Any) -> httpx.Response:
        return await self.line.get(path, params=params or None, headers=self._bearer(by))

    async def post(
        self, path: str, body: Any = None, *, by: Actor | str | None = None, key: str | None = None, **rest: Any
    ) -> httpx.Response:
        """body: an object to be sent as JSON; bytes go as they are, called JSON."""
        headers = {**self._bearer(by), **({"idempotency-key": key} if key else {}), **rest.pop("headers", {})}
        if isinstance(body, bytes):
            return await self.line.post(path, content=body, headers={"content-type": "application/json", **headers}, **rest)
        return await self.line.post(path, json=body, headers=headers, **rest)

    async def put(self, path: str, body: Any, *, by: Actor | str | None = None) -> httpx.Response:
        return await self.line.put(path, json=body, headers=self._bearer(by))

    def user(self, role: str, name: str = "", *, password: str = PASSWORD) -> str:
        """A new user who can sign in; their username."""
        username = f"{uuid4().hex[:8]}@example.test"
        name = name or role.title()
        self.database.value("select private.put_user(%s, %s, %s, %s)", username, name, role, _CHEAP.hash(password))
        return username

    def failed(
        self, owner: Actor, *, label: str = "Jane Roe (K1234567)", task_type: str = "sync_quo", code: str = "quo.500"
    ) -> UUID:
        """A task of that person's that has failed for good."""
        task: UUID = self.database.value(
            "select create_background_task('client', gen_random_uuid(), %s, %s, %s)", label, task_type, owner.id
        )
        self.database.all("select start_background_task(%s)", task)
        self.database.all("select fail_background_task(%s, 'Quo did not answer.', %s, 'Try again')", task, code)
        return task

    def status(self, task: UUID) -> str:
        status: str = self.database.value("select status from background_tasks where id = %s", task)
        return status

    def _bearer(self, by: Actor | str | None) -> dict[str, str]:
        if by is None:
            return {}
        return {"authorization": f"Bearer {by if isinstance(by, str) else self.token(by)}"}


def refused(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """Asserts that the answer is a refusal in the envelope, and returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert body.keys() >= ENVELOPE
    assert body["success"] is False
    assert body["message"]
    assert body["statusCode"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    if code is not None:
        assert body["code"] == code
    return body


def settings_for(home: Path, **env: str) -> Settings:
    """The settings of an installation of its own; nothing of this machine's environment shows through."""
    return load(env={"BACKHAUL_HOME": str(home), "BACKHAUL_SERVICE_KEY": SERVICE_KEY, **env})


async def running(
    settings: Settings, database: Database, office: Office | None = None, app: FastAPI | None = None
) -> AsyncIterator[Api]:
    """The application while it runs, as `async with contextmanager(running)(…)` or a fixture's body.

    app: one that was built before, for settings that are no different where it is built by them.
    """
    app = app or create_app(settings, "")
    put_on(app, settings, as_login(database.dsn), connections=1)  # one is soon warm
    async with app.router.lifespan_context(app):
        if office is not None:
            app.state.worker = Worker(app.state.store, workflows, office)
        transport = httpx.ASGITransport(app, client=("203.0.113.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://backhaul.test") as line:
            yield Api(app, line, database)


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Errors in the log are as short as in production; drawing their variables takes seconds."""
    structlog.configure(processors=[structlog.processors.add_log_level, logs.only_where, structlog.processors.KeyValueRenderer()])


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The application of all tests that leave its endpoints as they are: building it takes longer than most of them."""
    return create_app(settings_for(tmp_path_factory.mktemp("home")), "")


@pytest.fixture
async def api(
    built: FastAPI,
    database: Database,
    tmp_path: Path,
    maps: FakeMaps,
    quo: FakeQuo,
    texts: FakeTexts,
    slack: FakeSlack,
    calendars: FakeCalendars,
    mail: FakeMail,
) -> AsyncIterator[Api]:
    outside = Office(maps=maps, quo=quo, texts=texts, notices=slack, calendars=calendars, mail=mail, portal_url=PORTAL)
    async for one in running(settings_for(tmp_path), database, outside, built):
        yield one


async def until(condition: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Waits for something that another task or process does. Raises: TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  (what is awaited happens elsewhere, and sets no event of ours)
            await asyncio.sleep(0.01)


def everyone(database: Database) -> Mapping[str, Actor]:
    """One person of each role, by role."""
    return {role: database.person(role) for role in ("admin", "supervisor", "booking_agent", "driver", "client")}
