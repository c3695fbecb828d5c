"""Invoices: what the finance page and the office's accountant rely on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import ValidationError

from backhaul.core.errors import Conflict, Forbidden, NotFound
from backhaul.core.store import Actor, Row, Store
from backhaul.core.testing import Clock
from backhaul.dispatch.forms import rejected
from backhaul.dispatch.invoices import invoices
from backhaul.dispatch.invoices.forms import InvoiceStatus, NewInvoice, TripsReady
from tests.trips import NINE, Trips, refusal


def create(trips: Trips, *which: UUID, day: date | None = None) -> Row:
    return trips.database.one("select * from private.create_invoice(%s, %s)", list(which), day)


# ── Making one ──


def test_an_invoice_freezes_what_its_trips_were_and_cost(trips: Trips, own_trips: Trips) -> None:
    one, two = (
        trips.completed(rate=80),
        trips.completed("2026-11-19 13:00", rate=85.55, appointment_type="support", event_name="x"),
    )
    made = create(trips, one, two, day=date(2026, 11, 23))
    assert (made["invoice_number"], made["knumber"], made["bill_to_name"]) == ("INV-0001", "K1234567", "Jane Roe")
    assert made["bill_to_address"] == "1 High St\nStewiacke, NS B0N 2J0"
    assert (made["invoice_subtotal"], made["invoice_tax"], made["invoice_total"]) == (
        Decimal("165.55"), Decimal("23.18"), Decimal("188.73"),
    )  # fmt: skip
    assert (made["invoice_date"], made["due_date"]) == (date(2026, 11, 23), date(2026, 12, 23))
    trips.database.all("update office_settings set value = '0.15' where key = 'tax_rate'")
    trips.database.all("update clients set lastname = 'Other'")
    lines = trips.database.all("select place, served_on, description, rate from invoice_lines order by place")
    assert lines == [
        {"place": 1, "served_on": date(2026, 11, 19), "description": "Support, 1:00 pm, QEII", "rate": Decimal("85.55")},
        {"place": 2, "served_on": date(2026, 11, 20), "description": "Round trip, 9:00 am, QEII", "rate": Decimal("80.00")},
    ]
    kept = trips.database.one("select bill_to_name, tax_rate, invoice_total from invoices")
    assert kept == {"bill_to_name": "Jane Roe", "tax_rate": Decimal("0.14000"), "invoice_total": Decimal("188.73")}
    assert {trips.row(trip)["invoice_status"] for trip in (one, two)} == {"created"}


@pytest.mark.parametrize(
    ("rate", "tax"), [(0, "0.00"), (0.01, "0.00"), (0.03, "0.00"), (0.04, "0.01"), (0.25, "0.04"), (10_000, "1400.00")]
)
def test_tax_is_rounded_to_the_cent_half_a_cent_up(trips: Trips, rate: float, tax: str) -> None:
    assert create(trips, trips.completed(rate=rate))["invoice_tax"] == Decimal(tax)


def test_a_trip_without_a_rate_costs_the_offices_own_and_without_either_there_is_no_invoice(trips: Trips) -> None:
    trip = trips.completed(rate=None)
    with pytest.raises(psycopg.Error) as refused:
        create(trips, trip)
    assert refusal(refused).startswith("BT409: 1 appointment(s) without a rate.")
    trips.database.all("update office_settings set value = '70' where key = 'default_rate'")
    assert create(trips, trip)["invoice_subtotal"] == 70


def test_what_cannot_be_invoiced_is_refused_in_the_portals_words(trips: Trips) -> None:
    ready, not_ready = trips.completed(), trips.trip(driver="Ben")
    other = trips.completed("2026-11-18 09:00", client_id=trips.client("K7654321", "John"))
    cases = [
        ([], "BT404: No appointments found."),
        ([uuid4()], "BT404: No appointments found."),
        ([ready, uuid4()], "BT404: No appointments found."),
        ([ready, other], "BT409: All appointments must be for same client."),
        ([ready, not_ready], "BT409: 1 appointment(s) not in ready status."),
    ]
    for which, said in cases:
        with pytest.raises(psycopg.Error) as refused:
            create(trips, *which)
        assert refusal(refused).startswith(said)
    create(trips, ready, ready)
    with pytest.raises(psycopg.Error, match="not in ready status"):
        create(trips, ready)


def test_a_number_that_was_not_used_leaves_no_gap(trips: Trips) -> None:
    first = create(trips, trips.completed())
    trips.completed("2026-11-18 09:00")
    with pytest.raises(psycopg.errors.DivisionByZero):
        trips.database.all(
            "select 1 / (i.invoice_total - i.invoice_total) from private.create_invoice("
            "  array(select id from appointments where invoice_status = 'ready')) i"
        )
    second = create(trips, trips.completed("2026-11-17 09:00"))
    assert (first["invoice_number"], second["invoice_number"]) == ("INV-0001", "INV-0002")


def test_numbers_go_on_after_nine_thousand_nine_hundred_ninety_nine(trips: Trips) -> None:
    trips.database.all("update private.invoice_counter set last = 9999")
    assert create(trips, trips.completed())["invoice_number"] == "INV-10000"


def test_invoices_made_at_the_same_moment_have_consecutive_numbers_and_share_no_trip(own_trips: Trips) -> None:
    ready = [own_trips.completed(f"2026-11-{10 + place} 09:00") for place in range(6)]
    wanted = [[trip] for trip in ready] + [ready[:2], ready[2:4]]
    together = Barrier(len(wanted))

    def one(which: list[UUID]) -> str | None:
        together.wait()
        try:
            return str(create(own_trips, *which)["invoice_number"])
        except psycopg.Error as error:
            return error.sqlstate

    with ThreadPoolExecutor(len(wanted)) as pool:
        ended = sorted(number or "" for number in pool.map(one, wanted))
    numbers = [number for number in ended if number != "BT409"]
    assert numbers == [f"INV-{n:04}" for n in range(1, len(numbers) + 1)]
    on_invoices = own_trips.database.all("select appointment_id from invoice_lines")
    assert sorted(str(row["appointment_id"]) for row in on_invoices) == sorted(map(str, ready))


# ── What becomes of it ──


def test_sent_paid_and_void_carry_the_trips_along(trips: Trips) -> None:
    one, two = trips.completed(), trips.completed("2026-11-19 09:00")
    paid, void = create(trips, one), create(trips, two)
    step = "select invoice_status from private.set_invoice_status(%s, %s)"
    for status in ("sent", "sent", "paid"):
        assert trips.database.value(step, paid["id"], status) == status
        assert trips.row(one)["invoice_status"] == status
    assert trips.database.value("select invoice_status from private.void_invoice(%s)", void["id"]) == "void"
    freed = trips.row(two)
    assert (freed["invoice_status"], freed["invoice_id"]) == ("ready", None)
    again = create(trips, two)
    assert again["invoice_number"] == "INV-0003"
    assert trips.database.value("select count(*) from invoice_lines where appointment_id = %s", two) == 2


@pytest.mark.parametrize(
    ("state", "move"),
    [
        ("paid", "sent"),
        ("paid", "paid"),
        ("paid", "void"),
        ("void", "sent"),
        ("void", "void"),
        ("created", "created"),
        ("sent", "nonsense"),
    ],
)
def test_there_are_no_other_steps(trips: Trips, state: str, move: str) -> None:
    invoice = create(trips, trips.completed())["id"]

    def go(to: str) -> None:
        if to == "void":
            trips.database.all("select private.void_invoice(%s)", invoice)
        else:
            trips.database.all("select private.set_invoice_status(%s, %s)", invoice, to)

    if state != "created":
        go(state)
    with pytest.raises(psycopg.Error) as refused:
        go(move)
    assert refusal(refused).startswith(f"BT409: an invoice that is {state} cannot be")


@pytest.mark.parametrize(
    "change",
    [
        {"operation_status": "assigned"}, {"invoice_id": None}, {"client_id": None}, {"purged_at": NINE, "deleted_at": NINE},
    ],
)  # fmt: skip
def test_an_invoiced_trip_stays_as_it_was(trips: Trips, change: dict[str, Any]) -> None:
    trip = trips.completed()
    create(trips, trip)
    with pytest.raises(psycopg.Error) as refused:
        trips.set(trip, **change)
    assert refusal(refused).startswith("BT409: this trip is on an invoice.")
    with pytest.raises(psycopg.Error, match="on an invoice"):
        trips.database.all("update appointment_costs set custom_rate = 1")
    assert trips.set(trip, notes="that does no harm", invoice_status="paid")["invoice_status"] == "created"


def test_no_trip_is_put_on_an_invoice_by_hand(trips: Trips) -> None:
    one, two = trips.completed(), trips.completed("2026-11-19 09:00")
    invoice = create(trips, one)["id"]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        trips.set(two, invoice_id=invoice)
    with pytest.raises(psycopg.Error, match="by its invoice only"):
        trips.set(two, invoice_status="paid")


def test_only_a_clients_completed_trip_is_ready_and_one_that_is_reopened_is_not_any_more(trips: Trips) -> None:
    assigned = trips.trip(driver="Ben")
    nobodys = trips.trip(driver="Cem", client_id=None, appointment_type="support", event_name="Foot clinic")
    trips.set(nobodys, operation_status="completed")
    for trip in (assigned, nobodys):
        with pytest.raises(psycopg.Error, match="completed trip is ready"):
            trips.set(trip, invoice_status="ready")
    ready = trips.completed()
    assert trips.set(ready, operation_status="assigned")["invoice_status"] == "not_ready"


# ── By the application ──


@pytest.fixture
def sue(own_trips: Trips) -> Actor:
    return own_trips.people["supervisor"]


async def test_a_supervisor_makes_marks_and_finds_invoices(own_trips: Trips, store: Store, sue: Actor, clock: Clock) -> None:
    trip = own_trips.trip("2026-11-20 09:00", "Ana")
    own_trips.set(trip, operation_status="completed")
    own_trips.database.all("update office_settings set value = '70.5' where key = 'default_rate'")
    async with store.person(sue.id, sue.session_id) as (tx, _):
        assert await invoices.set_ready(tx, TripsReady.model_validate({"appointmentId": str(trip)})) == [trip]
        waiting = await invoices.ready(tx)
        assert [(row["knumber"], row["trips"], row["subtotal"], row["without_rate"]) for row in waiting.clients] == [
            ("K1234567", 1, Decimal("70.5"), 0)
        ]
        form = NewInvoice.model_validate(
            {"knumber": "k1234567", "appointmentIds": [str(trip)], "invoiceDate": "2026-11-01", "notes": ""}
        )
        made = await invoices.create(tx, form)
        assert made.label == "INV-0001, Jane Roe (K1234567)"
        assert made.created_by == sue.id
        assert [line.rate for line in await invoices.lines(tx, made.id)] == [Decimal("70.50")]
        page = await invoices.page(tx, q="inv-00")
        assert (page.count, page.open_total, page.next) == (1, Decimal("80.37"), None)
        assert page.invoices[0]["overdue"] is False
        paid = await invoices.mark(
            tx,
            InvoiceStatus.model_validate(
                {"invoiceId": str(made.id), "status": "paid", "paymentReceivedAt": "2026-11-22T15:00:00Z"}
            ),
        )
        assert (paid.invoice_status, paid.payment_received_at and paid.payment_received_at.day) == ("paid", 22)
        assert await invoices.set_paid(tx, [trip], "driver", clock.now, corrects=False) == [trip]
        assert (await invoices.page(tx)).open_total == 0
    async with store.service() as tx:
        assert await invoices.document(tx, made.id) is None
        assert await invoices.put_document(tx, made.id, b"%PDF-first")
        assert not await invoices.put_document(tx, made.id, b"%PDF-second")
        assert await invoices.document(tx, made.id) == b"%PDF-first"


async def test_pages_of_invoices_are_walked_through_by_key_newest_first(
    own_trips: Trips, store: Store, sue: Actor, clock: Clock
) -> None:
    for place in range(5):
        create(own_trips, own_trips.completed(f"2026-11-{10 + place} 09:00"))
        clock.advance(minutes=place % 2)  # some at the same moment
    seen: list[str] = []
    after: UUID | None = None
    async with store.person(sue.id, sue.session_id) as (tx, _):
        while True:
            page = await invoices.page(tx, after=after, limit=2)
            assert page.count == 5
            seen += [row["invoice_number"] for row in page.invoices]
            if page.next is None:
                break
            after = UUID(page.next)
        assert sorted(seen) == [f"INV-000{n}" for n in range(1, 6)]
        assert seen[0] == "INV-0005"
        with pytest.raises(NotFound):
            await invoices.page(tx, after=uuid4())


async def test_refusals_reach_the_caller_as_what_they_are(own_trips: Trips, store: Store, sue: Actor) -> None:
    trip = own_trips.completed()
    form = NewInvoice(appointmentIds=[trip])
    agent = own_trips.people["booking_agent"]
    async with store.person(agent.id, agent.session_id) as (tx, _):
        with pytest.raises(Forbidden, match="Only supervisors look after invoices"):
            await invoices.create(tx, form)
    async with store.person(sue.id, sue.session_id) as (tx, _):
        with pytest.raises(Conflict, match="same client"):
            await invoices.create(tx, NewInvoice(appointmentIds=[trip], knumber="K0000009"))
    async with store.person(sue.id, sue.session_id) as (tx, _):
        with pytest.raises(NotFound):
            await invoices.void(tx, uuid4())


def test_the_forms_tell_every_fault_at_its_field() -> None:
    with pytest.raises(ValidationError) as refused:
        NewInvoice.model_validate({"appointmentIds": [], "invoiceDate": "yesterday", "knumber": "7", "emailTo": "x"})
    assert rejected(refused.value, NewInvoice).fields == {
        "knumber": "K Number must be in format K1234567",
        "appointmentIds": "Appointments must be chosen, from 1 to 500",
        "invoiceDate": "Invoice date must be a day, like 2026-12-01",
        "emailTo": "E-mail must be a valid address, like jane@example.com",
    }
