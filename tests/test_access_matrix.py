"""Every endpoint × every role, and one's own records × somebody else's: who is let in, over HTTP, the stream and SQL.

Each endpoint of the description is in the table below. A new one fails these tests until somebody has decided who may use it.
Row-level security by database role is proved in test_access.py. Numbers in brackets are requirements of OWASP ASVS 5.0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from backhaul.core.store import Actor
from backhaul.dispatch.app import create_app
from tests.api_fixtures import SERVICE_KEY, Api, clinic, jane, refused, settings_for, until

STAFF = {"admin", "supervisor", "booking_agent"}
LEAD = {"admin", "supervisor"}
ADMIN = {"admin"}
ALL = STAFF | {"driver", "client"}


@dataclass(frozen=True)
class Verb:
    """Who may use an endpoint, and a question that is answered with 2xx (`ok`) to whoever may."""

    roles: set[str]
    ask: Callable[[House], dict[str, Any]] | dict[str, Any] = field(default_factory=dict)  # query of a GET, body of a POST
    ok: int = 200


@dataclass
class House:
    """One person of each role, each with a failed task of their own; a client; a destination; and whoever asks."""

    api: Api
    people: dict[str, Actor]
    tasks: dict[str, UUID]
    client: UUID
    destination: UUID
    trip: UUID
    driver: UUID  # who signs in as the driver
    time_off: UUID
    asking: Actor | None = None

    @property
    def task(self) -> UUID:
        """The asking person's own."""
        return next(task for role, task in self.tasks.items() if self.asking and self.people[role].id == self.asking.id)


ANYBODY: dict[str, str] = {  # without a token, and why
    "POST /webhook/user-login": "it is how a token is got",
    "POST /webhook/refresh-token": "the refresh token is asked for instead",
    "POST /webhook/check-reset-link": "the link is asked for instead",
    "POST /webhook/reset-password": "the link is asked for instead",
    "POST /webhook/forgot-password": "whoever has forgotten theirs cannot sign in; the same answer to all",
    "POST /webhook/check-setup-link": "the link is asked for instead",
    "POST /webhook/create-first-admin": "the link is asked for instead",
    "GET /webhook/password-rules": "it says what to type before anybody is known",
    "GET /portal-config": "it says what a page must know before anybody signs in; no secrets",
    "GET /health/live": "it says nothing but that it lives",
    "GET /health/ready": "it says what is not well; no records",
    "GET /metrics": "figures only",
}
OURS = {"POST /webhook/process-drive-times", "POST /webhook/process-quo-sync"}  # by the service key alone

PEOPLE: dict[str, Verb] = {
    "POST /webhook/logout": Verb(ALL),
    "POST /webhook/logout-all": Verb(ALL),
    "POST /webhook/update-activity": Verb(ALL),
    "GET /webhook/session-status": Verb(ALL),
    "POST /webhook/change-password": Verb(ALL, {"currentPassword": "wrong", "newPassword": "seven brown kettles"}, ok=400),
    "GET /webhook/get-profile": Verb(ALL),
    "POST /webhook/update-user-profile": Verb(ALL, {"fullName": "Jo Roe"}),
    "POST /webhook/sign-out-session": Verb(ALL, {"session_id": str(UUID(int=1))}, ok=404),
    "POST /webhook/sign-out-others": Verb(ALL),
    "GET /webhook/get-all-users": Verb(ADMIN),
    "GET /webhook/get-mail-route": Verb(ADMIN),
    "GET /webhook/get-booking-agent-list": Verb(LEAD),
    "GET /webhook/get-booking-agents": Verb(LEAD),
    "POST /webhook/create-user": Verb(ADMIN, {"username": "new@example.test", "full_name": "Jo Roe", "role": "driver"}),
    "POST /webhook/update-user": Verb(ADMIN, lambda house: {"id": str(house.people["client"].id), "full_name": "Jo Roe"}),
    "POST /webhook/unlock-user": Verb(ADMIN, lambda house: {"id": str(house.people["client"].id)}),
    "POST /webhook/end-user-sessions": Verb(ADMIN, lambda house: {"id": str(house.people["client"].id)}),
    "POST /webhook/password-reset": Verb(ADMIN, lambda house: {"id": str(house.people["client"].id)}),
    "POST /webhook/delete-user": Verb(ADMIN, lambda house: {"id": str(house.people["client"].id)}),
    "POST /webhook/link-user": Verb(ADMIN, lambda house: {"id": str(house.people["client"].id), "client_id": str(house.client)}),
    "GET /webhook/get-linkable": Verb(ADMIN, {"role": "driver"}),
    "GET /webhook/get-office-settings": Verb(LEAD),
    "GET /webhook/get-app-config": Verb(LEAD),
    "POST /webhook/update-office-settings": Verb(ADMIN, {"business_name": "Rural Rides"}),
    "GET /webhook/get-message-templates": Verb(ADMIN),
    "POST /webhook/update-message-template": Verb(ADMIN, {"audience": "client", "kind": "booked", "body": "Booked: {date}"}),
    "POST /webhook/preview-message-template": Verb(ADMIN, {"audience": "client", "kind": "booked", "body": "Booked: {date}"}),
    "GET /webhook/get-health": Verb(ADMIN),
    "POST /webhook/check-services": Verb(ADMIN),
    "GET /webhook/admin-dashboard": Verb(ADMIN),
    "GET /webhook/get-failed-tasks": Verb(ALL),
    "GET /webhook/get-all-failed-tasks": Verb(LEAD),
    "GET /webhook/get-failed-tasks-summary": Verb(LEAD),
    "GET /webhook/get-task": Verb(ALL, lambda house: {"id": house.task}),
    "POST /webhook/dismiss-task": Verb(ALL, lambda house: {"task_id": str(house.task)}),
    "POST /webhook/undismiss-task": Verb(ALL, lambda house: {"task_id": str(house.task)}),
    "POST /webhook/dismiss-all-tasks": Verb(ALL),
    "POST /webhook/retry-task": Verb(ALL, lambda house: {"task_id": str(house.task)}),
    "GET /events": Verb(ALL),
    "POST /webhook/add-client": Verb(STAFF, lambda _: jane()),
    "POST /webhook/update-client": Verb(STAFF, lambda house: {"id": str(house.client), "notes": "rings twice"}),
    "GET /webhook/get-clients": Verb(STAFF),
    "GET /webhook/get-active-clients": Verb(STAFF),
    "GET /webhook/get-all-clients": Verb(STAFF),
    "POST /webhook/add-destination": Verb(LEAD, lambda _: clinic()),
    "PUT /webhook/update-destination": Verb(LEAD, lambda house: {"id": str(house.destination), "notes": "ring twice"}),
    "POST /webhook/update-destination": Verb(LEAD, lambda house: {"id": str(house.destination), "notes": "ring once"}),
    "GET /webhook/get-all-destinations": Verb(LEAD),
    "GET /webhook/clinic-locations": Verb(ALL),
    "POST /webhook/add-driver": Verb(LEAD, {"first_name": "Dee", "last_name": "Novo", "email": "dee@x.test"}),
    "POST /webhook/update-driver": Verb(LEAD, lambda house: {"id": str(house.driver), "notes": "rings twice"}),
    "POST /webhook/make-driver-calendar": Verb(LEAD, lambda house: {"id": str(house.driver)}),
    "POST /webhook/create-driver-time-off": Verb(LEAD | {"driver"}, lambda house: away(house.driver)),
    "POST /webhook/update-driver-time-off": Verb(
        LEAD | {"driver"}, lambda house: away(house.driver) | {"id": str(house.time_off)}
    ),
    "POST /webhook/delete-driver-time-off": Verb(LEAD | {"driver"}, {"id": str(UUID(int=1))}, ok=404),
    "GET /webhook/driver-management": Verb(STAFF),
    "GET /webhook/driver-availability": Verb(LEAD),
    "GET /webhook/driver-basic-info": Verb(STAFF),
    "GET /webhook/get-driver-schedule": Verb(STAFF | {"driver"}, lambda house: {"driver_id": house.driver}),
    "GET /webhook/get-client": Verb(STAFF, lambda house: {"id": house.client}),
    "GET /webhook/get-audit-log": Verb(ADMIN),
    "GET /webhook/get-audit-log/export": Verb(ADMIN),
    "GET /webhook/get-activity-record": Verb(ADMIN, lambda house: {"client": house.client}),
    "GET /webhook/get-activity-record/export": Verb(ADMIN, lambda house: {"client": house.client}),
    "GET /webhook/audit-verify": Verb(ADMIN),
    "GET /webhook/get-appointments-page-data": Verb(STAFF),
    "GET /webhook/get-appointment-modal-data": Verb(STAFF),
    "GET /webhook/get-all-appointments": Verb(STAFF),
    "GET /webhook/get-active-present-future-appointments": Verb(ALL),
    "GET /webhook/get-operations-appointments": Verb(LEAD),
    "GET /webhook/get-appointment": Verb(STAFF, lambda house: {"id": house.trip}),
    "GET /webhook/get-week": Verb(STAFF, {"day": "2026-12-01"}),
    "GET /webhook/preview-appointment": Verb(STAFF, {"at": "2026-12-01T09:00"}),
    "GET /webhook/get-dashboard": Verb(STAFF),
    "POST /webhook/save-appointment": Verb(STAFF, lambda _: ride()),
    "POST /webhook/update-appointment": Verb(STAFF, lambda house: {"id": str(house.trip), "notes": "Two stairs"}),
    "POST /webhook/update-driver-assignment": Verb(LEAD, lambda house: {"id": str(house.trip), "driver_assigned": None}),
    "POST /webhook/cancel-appointment": Verb(STAFF, lambda house: {"id": str(house.trip), "cancellation_reason": "Snow"}, ok=409),
    "POST /webhook/mark-message-sent": Verb(STAFF, {"id": str(UUID(int=1))}, ok=404),
    "POST /webhook/soft-delete-appointment": Verb(STAFF, lambda house: {"id": str(house.trip)}),
    "POST /webhook/unarchive-appointment": Verb(LEAD, lambda house: {"id": str(house.trip)}),
    "POST /webhook/delete-appointment": Verb(ADMIN, lambda house: {"id": str(house.trip)}),
    "GET /webhook/get-invoices": Verb(LEAD),
    "GET /webhook/get-invoice": Verb(LEAD, {"id": str(UUID(int=1))}, ok=404),
    "GET /webhook/get-invoice-pdf": Verb(LEAD, {"id": str(UUID(int=1))}, ok=404),
    "GET /webhook/get-clients-to-invoice": Verb(LEAD),
    "GET /webhook/get-finance-appointments": Verb(LEAD),
    "POST /webhook/create-invoice": Verb(LEAD, {"appointmentIds": [str(UUID(int=1))]}, ok=404),
    "POST /webhook/send-invoice": Verb(LEAD, {"id": str(UUID(int=1)), "emailTo": "jane@example.test"}, ok=404),
    "POST /webhook/update-invoice-status-v2": Verb(LEAD, {"id": str(UUID(int=1)), "status": "sent"}, ok=404),
    "POST /webhook/void-invoice": Verb(LEAD, {"id": str(UUID(int=1))}, ok=404),
    "POST /webhook/mark-appointment-ready": Verb(LEAD, {"appointmentIds": [str(UUID(int=1))]}, ok=404),
    "POST /webhook/mark-driver-paid": Verb(LEAD, {"appointmentIds": [str(UUID(int=1))]}, ok=404),
    "POST /webhook/mark-agent-paid": Verb(LEAD, {"appointmentIds": [str(UUID(int=1))]}, ok=404),
    "GET /sandbox/faults": Verb(ADMIN, ok=404),  # no stand-ins here
    "POST /sandbox/faults": Verb(ADMIN, {"service": "quo", "fault": "ok"}, ok=404),
}
BEFORE_ROLES = {"GET /sandbox/faults", "POST /sandbox/faults"}  # without stand-ins nobody is told more than that


@pytest.fixture
async def house(api: Api, admin: Actor) -> House:
    people = {role: admin if role == "admin" else api.database.person(role) for role in sorted(ALL)}
    api.database.person("admin")  # so that ours is not the last
    api.database.all("insert into private.credentials (user_id, password_hash) select id, 'none fits' from users")
    tasks = {role: api.failed(person) for role, person in people.items()}
    saved = await api.post("/webhook/add-client", jane(kNumber="K7654321"), by=people["booking_agent"])
    destination = api.database.value("insert into destinations (name, address) values ('QEII', '1796 Summer St') returning id")
    booked = await api.post("/webhook/save-appointment", ride(), by=people["booking_agent"])
    trip = UUID(booked.json()["appointmentId"])
    driver = api.database.value(
        "insert into drivers (first_name, last_name, email) values ('Ana', 'Driver', 'ana@x.test') returning id"
    )
    api.database.value("select private.link_user(%s, %s)", people["driver"].id, driver)
    time_off = api.database.value(
        "insert into driver_time_off (driver_id, start_date, end_date) values (%s, '2026-12-08', '2026-12-08') returning id",
        driver,
    )
    return House(api, people, tasks, UUID(saved.json()["client_id"]), destination, trip, driver, time_off)


def ride() -> dict[str, Any]:
    return {
        "knumber": "K7654321",
        "appointmentDateTime": "2026-12-01T13:00:00Z",
        "location": "QEII",
        "locationAddress": "2 Clinic Rd",
    }


def away(driver: UUID) -> dict[str, Any]:
    return {"driver_id": str(driver), "start_date": "2026-12-07", "end_date": "2026-12-07"}


def described(app: Any) -> set[str]:
    return {f"{method.upper()} {path}" for path, verbs in app.openapi()["paths"].items() for method in verbs}


# ── Who is let in (8.2.1) ───────────────────────────────────────────────────────────────────────────────────────────


async def test_every_endpoint_is_decided_upon(api: Api) -> None:
    """(8.1.1)"""
    assert described(api.app) == set(ANYBODY) | OURS | set(PEOPLE), "decide who may use it, in the tables above"


@pytest.mark.parametrize("role", sorted(ALL))
async def test_each_role_is_let_in_where_the_table_says_and_nowhere_else(house: House, role: str) -> None:
    """(8.2.1) The stream is asked for apart: it does not end by itself."""
    house.asking = house.people[role]
    for name, verb in PEOPLE.items():
        if name == "GET /events":
            continue
        answer = await ask(house, name, verb, by=house.asking)
        if role in verb.roles or name in BEFORE_ROLES:
            assert answer.status_code in (verb.ok, 409), (name, answer.text)  # 409: an earlier verb of the table has moved it
        else:
            refused(answer, 403)
        if name in ("POST /webhook/logout", "POST /webhook/logout-all"):
            house.api.database.all("update user_sessions set ended_at = null, ended_because = null")


@pytest.mark.parametrize("name", sorted(PEOPLE))
async def test_without_a_living_session_nobody_is_let_in_anywhere(house: House, name: str) -> None:
    """(7.2.1, 7.3.1, 7.4.1, 8.3.1)"""
    tokens = house.api.app.state.tokens
    admin, ended, disabled = (house.api.database.person("admin") for _ in range(3))
    house.asking = house.people["admin"]
    house.api.database.all("update users set is_active = false where id = %s", disabled.id)
    house.api.database.all("update user_sessions set ended_at = now(), ended_because = 'x' where id = %s", ended.session_id)
    house.api.database.all(
        "update user_sessions set last_activity_at = task_now() - interval '30 minutes' where id = %s", admin.session_id
    )
    dead = {
        "none": None,
        "not ours": "x.y.z",
        "the service key": SERVICE_KEY,
        "a limited token": tokens.issue_limited(house.people["admin"].id, "x"),
        "a disabled account": tokens.issue(disabled.id, disabled.session_id, "admin"),
        "an ended session": tokens.issue(ended.id, ended.session_id, "admin"),
        "an idle session": tokens.issue(admin.id, admin.session_id, "admin"),
        "nobody's session": tokens.issue(uuid4(), uuid4(), "admin"),
    }
    for why, token in dead.items():
        answer = await ask(house, name, PEOPLE[name], by=token)
        if name == "POST /webhook/logout" and answer.status_code == 200:
            assert "session" in why or "account" in why  # signing out of what has ended is as good as once
        else:
            refused(answer, 401)


async def test_what_is_ours_alone_is_opened_by_no_persons_token(house: House) -> None:
    for name in OURS:
        for who in house.people.values():
            refused(
                await house.api.post(name.partition(" ")[2], {"task_id": str(house.tasks["admin"])}, by=who), 401, "service_key"
            )
        answer = await house.api.post(name.partition(" ")[2], {"task_id": str(uuid4())}, by=SERVICE_KEY)
        refused(answer, 404)


async def test_every_other_verb_of_an_endpoint_is_refused(house: House) -> None:
    """(4.1.4)"""
    paths: dict[str, set[str]] = {}
    for name in described(house.api.app):
        method, _, path = name.partition(" ")
        paths.setdefault(path, set()).add(method)
    headers = {"authorization": f"Bearer {house.api.token(house.people['admin'])}"}
    for path, methods in paths.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - methods:
            answer = await house.api.line.request(method, path, headers=headers)
            assert answer.status_code == 405, (method, path, answer.status_code)


# ── Whose records (8.2.2) ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", sorted(ALL))
async def test_a_persons_own_task_is_theirs_and_anothers_looks_like_none_but_to_supervisors(house: House, role: str) -> None:
    """(8.2.2) By every verb that takes a task's id."""
    foreign = house.tasks["driver" if role != "driver" else "client"]
    for verb, wanted in (("dismiss-task", 200), ("undismiss-task", 200), ("retry-task", 200)):
        answer = await house.api.post(f"/webhook/{verb}", {"task_id": str(foreign)}, by=house.people[role])
        if role in LEAD:
            assert answer.status_code == wanted, answer.text
        elif verb == "undismiss-task":
            refused(answer, 404)
        else:
            refused(answer, 404)
    answer = await house.api.get("/webhook/get-task", id=foreign, by=house.people[role])
    assert answer.status_code == (200 if role in LEAD else 404)
    seen = (await house.api.get("/webhook/get-failed-tasks", by=house.people[role])).json()["data"]
    assert {row["created_by"] for row in seen} <= {str(house.people[role].id)}


@pytest.mark.parametrize("role", sorted(ALL))
async def test_the_stream_tells_of_ones_own_tasks_and_of_everybodys_only_to_supervisors(house: House, role: str) -> None:
    stream, tokens = house.api.app.state.stream, house.api.app.state.tokens
    await until(lambda: stream.listening)
    mine, other = house.people[role], house.people["client" if role != "client" else "driver"]
    events = stream.events(tokens.read(house.api.token(mine)))
    async with aclosing(events):
        assert b"hello" in await anext(events)
        theirs, own = house.api.failed(other), house.api.failed(mine)
        heard = await _until_heard(events, own)
        if role in LEAD and str(theirs).encode() not in heard:  # what happens together arrives in any order
            heard += await _until_heard(events, theirs)
    assert (str(theirs).encode() in heard) is (role in LEAD)


@pytest.mark.parametrize("role", sorted(ALL))
async def test_the_stream_tells_the_staff_of_every_trip_and_nobody_of_one_that_is_not_theirs(house: House, role: str) -> None:
    stream, tokens = house.api.app.state.stream, house.api.app.state.tokens
    await until(lambda: stream.listening)
    events = stream.events(tokens.read(house.api.token(house.people[role])))
    async with aclosing(events):
        assert b"hello" in await anext(events)
        house.api.database.all("update appointments set notes = 'Two stairs' where id = %s", house.trip)
        heard = await _until_heard(events, house.api.failed(house.people[role]))
    assert (str(house.trip).encode() in heard) is (role in STAFF)


async def _until_heard(events: AsyncIterator[bytes], task: UUID) -> bytes:
    heard = b""
    async for event in events:
        heard += event
        if str(task).encode() in event:
            break
    return heard


@pytest.mark.parametrize("role", sorted(ALL))
async def test_what_was_refused_is_in_the_audit_log_with_who_tried(house: House, role: str) -> None:
    """(16.3.2)"""
    await house.api.get("/webhook/get-all-failed-tasks", by=house.people[role])
    rows = house.api.database.all(
        "select user_id, success, details from audit_logs where action = 'permission_denied' and user_id = %s",
        house.people[role].id,
    )
    expected = [] if role in LEAD else [{"endpoint": "/webhook/get-all-failed-tasks", "code": "role"}]
    assert [row["details"] for row in rows] == expected
    assert not any(row["success"] for row in rows)


async def test_a_clients_record_that_was_looked_at_says_by_whom(house: House) -> None:
    """(16.3.3)"""
    await house.api.get("/webhook/get-client", id=house.client, by=house.people["supervisor"])
    row = house.api.database.one("select user_id, entity_id, host(ip_address) as ip from audit_logs where action = 'view_client'")
    assert row == {"user_id": house.people["supervisor"].id, "entity_id": house.client, "ip": "203.0.113.7"}


async def test_a_card_that_reads_itself_anew_is_one_look_and_the_next_look_another(house: House) -> None:
    looks = "select count(*) from audit_logs where action = 'view_client'"
    for who in ("supervisor", "supervisor", "booking_agent", "supervisor"):
        await house.api.get("/webhook/get-client", id=house.client, by=house.people[who])
    assert house.api.database.value(looks) == 2
    house.api.database.all("update testing.clock set now = now + interval '10 minutes'")
    await house.api.get("/webhook/get-client", id=house.client, by=house.people["supervisor"])
    assert house.api.database.value(looks) == 3


async def ask(house: House, name: str, verb: Verb, *, by: Actor | str | None) -> Any:
    method, _, path = name.partition(" ")
    what = verb.ask(house) if callable(verb.ask) else verb.ask
    if method == "GET":
        return await house.api.get(path, by=by, **what)
    if method == "PUT":
        return await house.api.put(path, what, by=by)
    return await house.api.post(path, what, by=by)


def test_the_description_is_the_same_whatever_the_installation(tmp_path: Any) -> None:
    """With stand-ins or without, the endpoints judged above are all there are."""
    app = create_app(settings_for(tmp_path, BACKHAUL_STAND_INS="http://127.0.0.1:9", BACKHAUL_DEMO="yes"), "")
    assert described(app) == set(ANYBODY) | OURS | set(PEOPLE)
