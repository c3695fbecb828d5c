"""What people type and what opens a door stays where it belongs: out of the logs, the audit log and the tasks.

ASVS 5.0: 14.2.1 (nothing sensitive in addresses), 16.2.5 (nothing sensitive in logs).
"""

from __future__ import annotations

import io
import json
from uuid import uuid4

import psycopg
import pytest
import structlog
from psycopg import sql

from backhaul.core.errors import Malformed
from backhaul.core.sessions import digest
from backhaul.core.store import Actor
from tests.api_fixtures import PASSWORD, Api, jane
from tests.fakes import FakeQuo
from tests.test_logs import lines, written

__all__ = ["written"]  # a fixture

NEW_PASSWORD, THIRD_PASSWORD = "quite another secret 22", "and yet another one 333"
WRONG = "hunter2-hunter2-hunter2"
TYPED = {
    "phone": "902-555-0177", "email": "zebulon@quux.test", "civicAddress": "77 Hidden Lane", "postalCode": "B0K 1X9",
    "notes": "dialysis on Mondays, uses a walker", "emergencyContactName": "Philippa Quux",
    "emergencyContactNumber": "902-555-0188",
}  # fmt: skip
# Of each a form in which it could show, whichever way it was written down.
UNTOLD = (
    "5550177", "555-0177", "zebulon@", "Hidden Lane", "B0K 1X9", "B0K1X9", "dialysis", "walker", "Philippa", "5550188",
    "555-0188",
)  # fmt: skip
NAMES = ("Zebulon", "K1234567", "Wilhelmina")  # in the audit log and the ledger on purpose, in the logs never


async def test_the_main_ways_through_the_office_leave_no_secret_and_no_health_word_anywhere_they_do_not_belong(
    written: io.StringIO, api: Api, agent: Actor, admin: Actor, quo: FakeQuo
) -> None:
    secrets = [PASSWORD, NEW_PASSWORD, THIRD_PASSWORD, WRONG]
    username = await _come_and_go(api, secrets)
    client = await _look_after_a_client(api, agent, quo)
    await _book_a_trip(api, agent)
    await _read_the_log(api, admin, client)

    log = written.getvalue()
    assert {"answered", "task ended"} <= {line["event"] for line in lines(written)}, "at debug level everything is written"
    audit = _rows(api, "audit_logs", "private.audit_seals")
    ledger = _rows(
        api, "background_tasks", "background_task_steps", "background_task_attempts", "private.clicks", "engine.pgqueuer"
    )
    assert "create_client" in audit
    assert "sync_quo" in ledger
    assert "sync_appointment_quo" in ledger
    for place, text in {"logs": log, "audit log": audit, "ledger": ledger}.items():
        assert [told for told in (*secrets, *UNTOLD) if told in text] == [], place
    assert [told for told in (*NAMES, username) if told in log] == []


async def _come_and_go(api: Api, secrets: list[str]) -> str:
    """Wrong passwords, the right one, a change, a forgotten one, and out; every token on the way is a secret from then on."""
    username = api.user("booking_agent", "Wilhelmina Secretly")
    user = api.database.value("select id from users where username = %s", username)
    for name, password in ((username, WRONG), (f"nobody-{uuid4().hex}@quux.test", WRONG)):
        await api.post("/webhook/user-login", {"username": name, "password": password})
    said = (await api.post("/webhook/user-login", {"username": username, "password": PASSWORD})).json()
    secrets += [said["access_token"], said["refresh_token"]]
    said = (await api.post("/webhook/refresh-token", {"refresh_token": said["refresh_token"]})).json()
    secrets += [said["access_token"], said["refresh_token"]]
    for current, new in ((WRONG, NEW_PASSWORD), (PASSWORD, "x"), (PASSWORD, username), (PASSWORD, NEW_PASSWORD)):
        changed = await api.post(
            "/webhook/change-password", {"currentPassword": current, "newPassword": new}, by=said["access_token"]
        )
    assert changed.status_code == 200, changed.text
    await api.post("/webhook/forgot-password", {"username": username})
    link = "the-token-of-a-link-that-was-mailed"
    api.database.value("select private.put_link('reset', %s, %s, '1 hour')", user, digest(link))
    await api.post("/webhook/check-reset-link", {"token": link})
    reset = await api.post("/webhook/reset-password", {"token": link, "newPassword": THIRD_PASSWORD})
    assert reset.status_code == 200, reset.text
    await api.post("/webhook/logout", by=said["access_token"])
    secrets += [link, said["access_token"]]
    return username


async def _look_after_a_client(api: Api, agent: Actor, quo: FakeQuo) -> str:
    """Faults, a save, a repeat, a look, a search; work that goes well and work that fails with the vendor's own words."""
    form = jane(firstName="Zebulon", lastName="Quux", **TYPED)
    for faulty in (form | {"kNumber": "K12"}, form | {"clientData": form["clientData"] | {"postalCode": "90210"}}):
        assert (await api.post("/webhook/add-client", faulty, by=agent)).status_code == 400
    await api.post("/webhook/add-client", json.dumps(form).encode()[:-9], by=agent)
    saved = (await api.post("/webhook/add-client", form, by=agent, key="click-1")).json()
    await api.post("/webhook/add-client", form, by=agent, key="click-1")
    assert (await api.post("/webhook/add-client", form, by=agent)).status_code == 409
    for path, asked in (
        ("get-client", {"id": saved["client_id"]}),
        ("get-client", {"knumber": "K1234567"}),
        ("get-clients", {"q": "Zebulon"}),
    ):
        assert (await api.get(f"/webhook/{path}", by=agent, **asked)).status_code == 200
    driver = api.database.person("driver")
    await api.get("/webhook/get-clients", by=driver, q="Zebulon")
    quo.fails(error=Malformed("Quo", "Quo did not accept our request", "It answered 400", "Tell a developer", code="quo.400"))
    for task in saved["task_ids"].values():
        await api.app.state.worker.work_on(task)
    quo.works()
    api.database.all("alter table clients add constraint boom check (lastname <> 'Quux') not valid")
    assert (await api.post("/webhook/add-client", form | {"kNumber": "K7654321"}, by=agent)).status_code == 500
    client: str = saved["client_id"]
    return client


async def _book_a_trip(api: Api, agent: Actor) -> None:
    """Booked, changed, archived; and the work that follows from each."""
    told = {
        "notes": "walker in the hall",
        "scheduling_notes": "after dialysis",
        "driver_instructions": "77 Hidden Lane, back door",
    }
    ride = {
        "knumber": "K1234567",
        "appointmentDateTime": "2026-12-01T13:00:00Z",
        "location": "QEII",
        "locationAddress": "2 Clinic Rd",
    }
    booked = await api.post("/webhook/save-appointment", ride | told, by=agent, key="click-2")
    assert booked.status_code == 200, booked.text
    trip = booked.json()["appointmentIds"][0]
    assert (await api.post("/webhook/save-appointment", ride | told | {"knumber": "walker"}, by=agent)).status_code == 400
    changed = await api.post("/webhook/update-appointment", {"id": trip, "notes": "Philippa comes along to dialysis"}, by=agent)
    assert changed.status_code == 200, changed.text
    for task in api.database.all("select id from background_tasks where status = 'pending'"):
        await api.app.state.worker.work_on(task["id"])
    archived = await api.post("/webhook/soft-delete-appointment", {"appointmentId": trip}, by=agent)
    assert archived.status_code == 200, archived.text


async def _read_the_log(api: Api, admin: Actor, client: str) -> None:
    await api.get("/webhook/get-audit-log", by=admin, q="dialysis", who="Philippa")
    await api.get("/webhook/get-audit-log/export", by=admin, q="walker")
    await api.get("/webhook/get-activity-record/export", by=admin, client=client)
    await api.get("/webhook/audit-verify", by=admin)


def _rows(api: Api, *tables: str) -> str:
    """Every row of these, whole, as text."""
    with psycopg.connect(api.database.dsn) as owner:
        found = [
            owner.execute(sql.SQL("select to_jsonb(t) from {} t").format(sql.Identifier(*table.split(".")))).fetchall()
            for table in tables
        ]
    return json.dumps(found, ensure_ascii=False, default=str)


@pytest.mark.parametrize("name", ["notes", "link", "cookie", "headers", "query", "secret", "password", "email"])
def test_a_log_line_never_shows_what_goes_by_such_a_name(written: io.StringIO, name: str) -> None:
    structlog.get_logger().warning("careless", **{name: "dialysis"})
    assert "dialysis" not in written.getvalue()
