"""Invoices: made of one client's ready trips, numbered without gaps, frozen as they were made.

Numbers, totals, states and who may do what are the database's (sql/invoices_schema.sql). Amounts are dollars, as Decimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from backhaul.core.errors import Conflict, NotFound
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx
from backhaul.dispatch.invoices.forms import InvoiceStatus, NewInvoice, SendInvoice, TripsReady
from backhaul.dispatch.trips import appointment_lists

_sql = Queries("invoices")

OPEN = ("created", "sent")
"""The states in which an invoice's money is still asked for."""


@dataclass(frozen=True, slots=True)
class Line:
    """One trip of an invoice, as it was and cost when it was made. rate: dollars."""

    appointment_id: UUID
    place: int
    served_on: date
    description: str
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """invoice_status: created, sent, paid, void. tax_rate: a fraction. bill_to_*: whom it was made out to, on that day.

    mail_to: whom it was last sent to by e-mail, or is on its way to.
    """

    id: UUID
    invoice_number: str
    client_id: UUID
    knumber: str
    bill_to_name: str
    bill_to_address: str
    invoice_status: str
    invoice_date: date
    due_date: date
    tax_rate: Decimal
    invoice_subtotal: Decimal
    invoice_tax: Decimal
    invoice_total: Decimal
    notes: str | None
    invoice_sent_at: datetime | None
    payment_received_at: datetime | None
    voided_at: datetime | None
    invoice_created_at: datetime
    created_by: UUID | None
    mail_to: str | None

    @property
    def is_void(self) -> bool:
        return self.invoice_status == "void"

    @property
    def label(self) -> str:
        return f"{self.invoice_number}, {self.bill_to_name} ({self.knumber})"


@dataclass(frozen=True, slots=True)
class Trip:
    """A trip that is to be marked, as it is now. label: whose it is."""

    id: UUID
    label: str
    operation_status: str
    invoice_status: str
    driver_paid_at: datetime | None
    booking_agent_paid_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """open_total: what is asked for and not paid, of all that match."""

    invoices: Sequence[Row]
    next: str | None
    count: int
    open_total: Decimal


async def create(tx: Tx, form: NewInvoice) -> Invoice:
    """Raises, in the portal's texts: NotFound; Conflict for several clients, trips not ready or without a rate; Forbidden."""
    made = await tx.one(_sql.create, {"appointments": form.appointments, "invoice_date": form.invoice_date, "notes": form.notes})
    ident: UUID = (made or {})["id"]
    if form.email_to:
        await tx.one(_sql.address, {"id": ident, "to": form.email_to})
    invoice = await get(tx, ident)
    if form.knumber not in (None, invoice.knumber):
        raise Conflict(
            "All appointments must be for same client",
            f"They are not those of {form.knumber}",
            "Choose again",
            code="invoice.client",
        )
    return invoice


async def mark(tx: Tx, form: InvoiceStatus) -> Invoice:
    """Raises: NotFound; Conflict for a step there is not; Forbidden."""
    await tx.one(_sql.mark, {"id": form.id, "status": form.status, "at": form.at})
    return await get(tx, form.id)


async def void(tx: Tx, invoice_id: UUID) -> Invoice:
    """Frees its trips for another invoice. Raises: NotFound; Conflict when it is paid or void already; Forbidden."""
    await tx.one(_sql.void, {"id": invoice_id})
    return await get(tx, invoice_id)


async def address(tx: Tx, form: SendInvoice) -> Invoice:
    """Whom it goes to by e-mail. Raises: NotFound; Conflict when it is void; Forbidden."""
    await tx.one(_sql.address, {"id": form.id, "to": form.email_to})
    return await get(tx, form.id)


async def note_mailed(db: Db, invoice_id: UUID) -> str:
    """It has gone out by e-mail: what is still open is sent now. Returns what it is."""
    row = await db.one(_sql.note_mailed, {"id": invoice_id})
    return str((row or {})["status"])


async def get(db: Db, invoice_id: UUID) -> Invoice:
    """Raises: NotFound for one that is not there, or whose reader may not see costs."""
    invoice = await db.one(_sql.by_id, {"id": invoice_id}, into=Invoice)
    if invoice is None:
        raise NotFound(
            "Invoice not found", "It does not exist, or is not yours to see", "Reload the list", code="invoice.unknown"
        )
    return invoice


async def lines(db: Db, invoice_id: UUID) -> list[Line]:
    """In the order they stand on the paper: by the day they were driven."""
    return await db.all(_sql.lines, {"id": invoice_id}, into=Line)


async def around(db: Db, invoice_id: UUID) -> Row:
    """What its card says besides the paper: the client's e-mail address today, who made it, when its PDF was made, overdue."""
    return await db.one(_sql.around, {"id": invoice_id}) or {}


async def changes(db: Db, invoice_id: UUID) -> list[Row]:
    """Who did what to it, the latest first; as far as the reader may see the audit log."""
    return await db.all(_sql.changes, {"id": invoice_id})


async def page(
    db: Db,
    *,
    status: str | None = None,
    client: UUID | None = None,
    q: str | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> Page:
    """Newest first. status: one of the four, or "open", or "overdue". after: the `next` of the page before.

    Raises: NotFound for a cursor nobody made.
    """
    found: dict[str, Any] = {
        "statuses": list(OPEN) if status in ("open", "overdue") else [status] if status else None,
        "overdue": status == "overdue",
        "client": client,
        "q": _pattern(q),
    }
    begin = await _begin(db, _sql.place, after) or {"after_time": None, "after_number": None}
    rows = await db.all(_sql.page, {**found, **begin, "limit": limit + 1})
    count = await db.one(_sql.count, found) or {"count": 0, "open_total": Decimal(0)}
    following = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page(rows[:limit], following, count["count"], count["open_total"])


@dataclass(frozen=True, slots=True)
class ReadyPage:
    """One page, the cursor of the next, and the figures of all. subtotal: dollars before tax."""

    clients: Sequence[Row]
    next: UUID | None
    count: int
    trips: int
    subtotal: Decimal


async def ready(db: Db, *, q: str | None = None, after: UUID | None = None, limit: int = 50) -> ReadyPage:
    """Clients by name with trips ready for an invoice: which, how many, what they come to, and how many have no rate.

    after: the `next` of the page before. Raises: NotFound for a cursor nobody made.
    """
    begin = await _begin(db, _sql.client_place, after) or {"after_last": None, "after_first": None, "after_id": None}
    found = await db.all(_sql.ready, {"q": _pattern(q), **begin})
    rest = [row for row in found if row.pop("follows")]
    return ReadyPage(
        rest[:limit],
        rest[limit - 1]["client_id"] if len(rest) > limit else None,
        len(found),
        sum(row["trips"] for row in found),
        sum((row["subtotal"] or Decimal(0) for row in found), Decimal(0)),
    )


async def trips(db: Db, ids: Sequence[UUID]) -> list[Trip]:
    """By time. Raises: NotFound, in the portal's text, when one of them is not there, or archived."""
    found = await db.all(_sql.trips, {"ids": list(ids)}, into=Trip)
    if len(found) < len(set(ids)):
        raise NotFound(
            "No appointments found", "Some were removed", "Reload the list and choose again", code="appointment.unknown"
        )
    return found


async def trips_page(
    db: Db,
    invoice_status: str | None,
    *,
    client: UUID | None = None,
    q: str | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> appointment_lists.Page:
    """Clients' completed trips of that invoice_status, the oldest first, with when driver and agent were paid.

    invoice_status None: every completed trip whose driver or booking agent is not paid yet.
    Raises: NotFound for a cursor nobody made.
    """
    found = {"invoice_status": invoice_status, "unpaid": invoice_status is None, "client": client, "q": _pattern(q)}
    begin = await _begin(db, _sql.trip_place, after) or {"after_time": None, "after_id": None}
    rows = await db.all(_sql.trips_page, {**found, **begin, "limit": limit + 1})
    count = await db.one(_sql.trips_count, found) or {"count": 0}
    following = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return appointment_lists.Page(rows[:limit], following, count["count"])


async def set_ready(tx: Tx, form: TripsReady) -> list[UUID]:
    """Returns those that changed. Raises: Conflict for a trip that is not completed; Forbidden."""
    return [row["id"] for row in await tx.all(_sql.set_ready, {"ids": form.ids, "ready": form.ready})]


async def set_paid(
    tx: Tx, trips: Sequence[UUID], whom: Literal["driver", "agent"], at: datetime | None, *, corrects: bool
) -> list[UUID]:
    """That the driver, or the booking agent, was paid for completed trips; at None takes it back. Returns those that changed.

    corrects: also of those that were paid before, at another time. Raises: Forbidden.
    """
    about = {"ids": list(trips), "whom": whom, "at": at, "corrects": corrects}
    return [row["id"] for row in await tx.all(_sql.set_paid, about)]


async def put_document(db: Db, invoice_id: UUID, content: bytes, *, void: bool = False) -> bool:
    """Keeps the PDF, once; False when there was one, which stays. void: the one that says that the invoice is."""
    return await db.run(_sql.put_void_document if void else _sql.put_document, {"id": invoice_id, "content": content}) > 0


async def document(db: Db, invoice_id: UUID, *, void: bool = False) -> bytes | None:
    """The PDF as it was made; None while it is being made. void: the one that says that the invoice is."""
    row = await db.one(_sql.void_document if void else _sql.document, {"id": invoice_id})
    return bytes(row["content"]) if row else None


async def _begin(db: Db, query: bytes, after: UUID | None) -> Row | None:
    if after is None:
        return None
    place = await db.one(query, {"id": after})
    if place is None:
        raise NotFound("There is no such page", "The cursor was not made here", "Start from the first page", code="cursor")
    return place


def _pattern(q: str | None) -> str | None:
    term = (q or "").strip()
    escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if term else None
