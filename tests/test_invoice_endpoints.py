"""What becomes of invoices and their trips over HTTP, and what the finance page reads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from backhaul.core.store import Actor
from backhaul.core.testing import Clock, TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, refused
from tests.trips import Trips


@pytest.fixture
def sue(own_trips: Trips) -> Actor:
    return own_trips.people["supervisor"]


def invoice(own: Trips, *trips: UUID, day: str | None = None) -> str:
    return str(own.database.value("select (private.create_invoice(%s, %s)).id", list(trips), day))


def audited(own: Trips, action: str) -> list[Any]:
    return own.database.all("select entity_id, details from audit_logs where action = %s order by seq", action)


# ── What becomes of an invoice ──


async def test_sent_paid_and_void_are_noted_with_who_and_when_and_only_a_void_one_is_drawn_anew(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor
) -> None:
    one, two = invoice(own_trips, own_trips.completed()), invoice(own_trips, own_trips.completed("2026-11-19 09:00"))
    steps: list[tuple[str, dict[str, Any], str]] = [
        ("update-invoice-status-v2", {"invoiceId": one, "status": "sent"}, "INV-0001 is marked sent"),
        (
            "update-invoice-status",
            {"id": one, "status": "paid", "paymentReceivedAt": "2026-11-22 11:00"},
            "INV-0001 is marked paid",
        ),
        ("void-invoice", {"invoiceId": two}, "INV-0002 is void; its trips are ready for another invoice"),
    ]
    for name, body, said in steps:
        answer = await api.post(f"/webhook/{name}", body, by=sue)
        assert answer.json()["message"] == said
    kept = own_trips.database.all("select invoice_status, payment_received_at, voided_by from invoices order by invoice_number")
    assert [row["invoice_status"] for row in kept] == ["paid", "void"]
    assert (kept[0]["payment_received_at"].isoformat(), kept[1]["voided_by"]) == ("2026-11-22T15:00:00+00:00", sue.id)
    assert [row["details"]["status"] for row in audited(own_trips, "mark_invoice")] == ["sent", "paid"]
    assert [row["entity_id"] for row in audited(own_trips, "void_invoice")] == [UUID(two)]
    assert office.tasks("pending") == ["draw_void_invoice"]


async def test_steps_there_are_not_and_fields_that_are_wrong_are_refused(api: Api, own_trips: Trips, sue: Actor) -> None:
    ident = invoice(own_trips, own_trips.completed())
    await api.post("/webhook/update-invoice-status", {"id": ident, "status": "paid"}, by=sue)
    refused(await api.post("/webhook/update-invoice-status", {"id": ident, "status": "sent"}, by=sue), 409)
    said = refused(await api.post("/webhook/void-invoice", {"id": ident}, by=sue), 409)
    assert (said["what"], said["why"]) == ("An invoice that is paid cannot be voided", "The money has come.")
    fields = refused(await api.post("/webhook/update-invoice-status", {"status": "lost", "at": "soon"}, by=sue), 400)["fields"]
    assert fields == {
        "invoiceId": "Invoice is required",
        "status": "Status must be one of sent, paid",
        "at": "Date must be a date and time, like 2026-12-01 09:30",
    }
    refused(await api.post("/webhook/void-invoice", {"id": str(UUID(int=1))}, by=sue), 404)
    assert audited(own_trips, "void_invoice") == []


# ── Trips ──


async def test_trips_are_marked_ready_all_or_none_and_each_has_its_audit_entry(api: Api, own_trips: Trips, sue: Actor) -> None:
    done = [own_trips.completed(f"2026-11-{day} 09:00") for day in (17, 18, 19)]
    for trip in done:
        own_trips.set(trip, invoice_status="not_ready")
    ids = [str(trip) for trip in done]
    answer = await api.post("/webhook/mark-appointment-ready", {"appointmentIds": ids[:2]}, by=sue)
    assert answer.json()["message"] == "2 trip(s) ready for an invoice"
    again = await api.post("/webhook/mark-appointment-ready", {"appointmentIds": ids}, by=sue)
    assert again.json()["changed"] == 1
    assert [row["entity_id"] for row in audited(own_trips, "mark_trip_ready")][2:] == done[2:]
    nothing_new = await api.post("/webhook/mark-appointment-ready", {"appointmentIds": ids}, by=sue)
    assert nothing_new.json()["changed"] == 0
    await api.post("/webhook/mark-appointment-ready", {"appointmentId": ids[0], "ready": False}, by=sue)
    assert [own_trips.row(trip)["invoice_status"] for trip in done] == ["not_ready", "ready", "ready"]
    refused(await api.post("/webhook/mark-appointment-ready", {"appointmentId": ids[1], "ready": "maybe"}, by=sue), 400)
    assert len(audited(own_trips, "mark_trip_ready")) == 4


async def test_trips_that_are_not_completed_or_on_an_invoice_are_refused_by_name(api: Api, own_trips: Trips, sue: Actor) -> None:
    done, ahead, billed = own_trips.completed(), own_trips.trip(driver="Ben"), own_trips.completed("2026-11-18 09:00")
    own_trips.set(done, invoice_status="not_ready")
    invoice(own_trips, billed)
    for other, what in ((ahead, "1 appointment(s) not completed"), (billed, "1 appointment(s) on an invoice")):
        for ready in (True, False):
            body = {"appointmentIds": [str(done), str(other)], "ready": ready}
            said = refused(await api.post("/webhook/mark-appointment-ready", body, by=sue), 409)
            assert (said["what"], said["why"]) == (what, "Jane Roe (K1234567)")
    body = {"appointmentIds": [str(done), str(UUID(int=1))]}
    refused(await api.post("/webhook/mark-appointment-ready", body, by=sue), 404)
    assert own_trips.row(done)["invoice_status"] == "not_ready"


async def test_drivers_and_agents_are_paid_and_it_can_be_taken_back(api: Api, own_trips: Trips, sue: Actor, clock: Clock) -> None:
    trip = own_trips.completed()
    columns = {
        "driver": "select driver_paid_at from appointment_costs where appointment_id = %s",
        "agent": "select booking_agent_paid_at from appointment_costs where appointment_id = %s",
    }
    for who, paid in columns.items():
        answer = await api.post(f"/webhook/mark-{who}-paid", {"appointmentId": str(trip)}, by=sue)
        assert answer.json()["message"].endswith(" paid")
        assert own_trips.database.value(paid, trip) == clock.now
        clock.advance(minutes=5)
        again = (await api.post(f"/webhook/mark-{who}-paid", {"id": str(trip)}, by=sue)).json()
        assert (again["changed"], own_trips.database.value(paid, trip)) == (0, clock.now - timedelta(minutes=5))
        await api.post(f"/webhook/mark-{who}-paid", {"id": str(trip), "paidAt": "2026-11-21 10:00"}, by=sue)
        assert own_trips.database.value(paid, trip).day == 21
        await api.post(f"/webhook/mark-{who}-paid", {"id": str(trip), "paid": False}, by=sue)
        assert own_trips.database.value(paid, trip) is None
        nobody = (await api.post(f"/webhook/mark-{who}-paid", {"id": str(trip), "paid": False}, by=sue)).json()
        assert nobody["changed"] == 0
        assert len(audited(own_trips, f"mark_{who}_paid")) == 3
    assert own_trips.database.value("select custom_rate from appointment_costs") == 80
    ahead = own_trips.trip(driver="Ben")
    await api.post("/webhook/mark-agent-paid", {"id": str(trip)}, by=sue)
    unpaid = (await api.get("/webhook/get-finance-appointments", by=sue, unpaid="true")).json()
    assert [(row["id"], row["driver_paid_at"]) for row in unpaid["appointments"]] == [(str(trip), None)]
    await api.post("/webhook/mark-driver-paid", {"id": str(trip)}, by=sue)
    assert (await api.get("/webhook/get-finance-appointments", by=sue, unpaid="true")).json()["count"] == 0
    refused(await api.post("/webhook/mark-driver-paid", {"id": str(ahead)}, by=sue), 409)


# ── Reading ──


async def test_the_list_is_filtered_searched_and_walked_through_with_its_open_total(
    api: Api, own_trips: Trips, sue: Actor, clock: Clock
) -> None:
    late = invoice(own_trips, own_trips.completed("2026-11-10 09:00"), day="2026-10-01")
    clock.advance(minutes=1)
    fresh, paid, void = (invoice(own_trips, own_trips.completed(f"2026-11-{day} 09:00")) for day in (11, 12, 13))
    await api.post("/webhook/update-invoice-status", {"id": paid, "status": "paid"}, by=sue)
    await api.post("/webhook/void-invoice", {"id": void}, by=sue)

    async def ids(**params: Any) -> set[str]:
        body = (await api.get("/webhook/get-invoices", by=sue, **params)).json()
        assert body["count"] == len(body["invoices"])
        return {row["id"] for row in body["invoices"]}

    assert await ids() == {late, fresh, paid, void}
    assert await ids(status="open") == {late, fresh}
    assert await ids(status="overdue") == {late}
    assert await ids(status="void") == {void}
    assert await ids(q="0003") == {paid}
    assert await ids(q="nobody") == set()
    assert await ids(client=str(own_trips.jane), status="paid") == {paid}
    first = (await api.get("/webhook/get-invoices", by=sue, limit=3)).json()
    rest = (await api.get("/webhook/get-invoices", by=sue, limit=3, after=first["next"])).json()
    assert (first["count"], first["open_total"], rest["next"]) == (4, "182.40", None)
    assert [row["id"] for row in rest["invoices"]] == [late]
    assert rest["invoices"][0]["overdue"]
    refused(await api.get("/webhook/get-invoices", by=sue, status="lost"), 400)


async def test_the_card_has_lines_work_and_history_and_the_pdf_is_there_once_it_was_made(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor
) -> None:
    own_trips.database.all("update clients set email = 'jane@example.test'")
    created = await api.post("/webhook/create-invoice", {"appointmentIds": [str(own_trips.completed(rate=80))]}, by=sue)
    ident = created.json()["invoice_id"]
    early = refused(await api.get("/webhook/get-invoice-pdf", by=sue, id=ident), 409, "invoice.no_document")
    assert (early["what"], early["why"]) == ("The PDF of INV-0001 is not there yet", "It is made in the background")
    await office.work()
    card = (await api.get("/webhook/get-invoice", by=sue, id=ident)).json()
    assert (card["invoice"]["invoice_total"], card["around"]["client_email"]) == ("91.20", "jane@example.test")
    assert card["around"]["created_by_name"] == sue.name
    assert [line["description"] for line in card["lines"]] == ["Round trip, 9:00 am, QEII"]
    assert [(task["task_type"], task["status"]) for task in card["tasks"]] == [("generate_invoice_pdf", "completed")]
    assert [change["action"] for change in card["changes"]] == ["create_invoice"]
    paper = await api.get("/webhook/get-invoice-pdf", by=sue, id=ident)
    assert paper.content.startswith(b"%PDF-")
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.headers["cache-control"] == "no-store"
    assert paper.headers["content-disposition"] == 'attachment; filename="INV-0001.pdf"'
    refused(await api.get("/webhook/get-invoice", by=sue, id=str(UUID(int=1))), 404)


async def test_what_is_to_be_invoiced_is_told_by_client_and_by_trip(api: Api, own_trips: Trips, sue: Actor) -> None:
    john = own_trips.client("K7654321", "John")
    one, two = own_trips.completed(rate=80), own_trips.completed("2026-11-19 09:00", rate=None)
    johns, unready = own_trips.completed("2026-11-18 09:00", client_id=john), own_trips.completed("2026-11-17 09:00")
    own_trips.set(unready, invoice_status="not_ready")
    nobodys = own_trips.trip("2026-11-16 09:00", "Cem", client_id=None, appointment_type="support", event_name="Foot clinic")
    own_trips.set(nobodys, operation_status="completed")
    await api.post("/webhook/mark-driver-paid", {"id": str(one)}, by=sue)
    body = (await api.get("/webhook/get-clients-to-invoice", by=sue)).json()
    assert [(row["knumber"], row["trips"], row["subtotal"], row["without_rate"]) for row in body["clients"]] == [
        ("K1234567", 2, "80.00", 1),
        ("K7654321", 1, "80.00", 0),
    ]
    assert (body["count"], body["trips"], body["subtotal"], body["next"]) == (2, 3, "160.00", None)
    first = (await api.get("/webhook/get-clients-to-invoice", by=sue, limit=1)).json()
    rest = (await api.get("/webhook/get-clients-to-invoice", by=sue, limit=1, after=first["next"])).json()
    assert ([row["knumber"] for row in rest["clients"]], rest["count"], rest["next"]) == (["K7654321"], 2, None)
    refused(await api.get("/webhook/get-clients-to-invoice", by=sue, after=str(UUID(int=1))), 404)
    every = (await api.get("/webhook/get-finance-appointments", by=sue)).json()
    assert (every["count"], every["default_rate"], every["tax_rate"]) == (3, None, "0.14")
    mine = (await api.get("/webhook/get-finance-appointments", by=sue, client=str(own_trips.jane))).json()["appointments"]
    assert [(trip["id"], trip["custom_rate"], trip["driver_paid_at"] is not None) for trip in mine] == [
        (str(two), None, False),
        (str(one), "80.00", True),
    ]
    own_trips.database.all("update office_settings set value = '70' where key = 'default_rate'")
    later = (await api.get("/webhook/get-clients-to-invoice", by=sue, q="jane")).json()
    assert [(row["subtotal"], row["without_rate"]) for row in later["clients"]] == [("150.00", 0)]
    waiting = (await api.get("/webhook/get-finance-appointments", by=sue, invoice_status="not_ready")).json()
    assert [trip["id"] for trip in waiting["appointments"]] == [str(unready)]
    assert str(johns) not in str(waiting)
    for trip in (one, two):
        own_trips.set(trip, invoice_status="not_ready")
    goes_on = (await api.get("/webhook/get-clients-to-invoice", by=sue, limit=1, after=first["next"])).json()
    assert ([row["knumber"] for row in goes_on["clients"]], goes_on["count"], goes_on["next"]) == (["K7654321"], 1, None)
    assert goes_on["clients"][0].keys() == first["clients"][0].keys() == {
        "client_id", "knumber", "client_name", "email", "trips", "appointment_ids", "first", "last", "subtotal", "without_rate",
    }  # fmt: skip
