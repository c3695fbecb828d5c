"""Invoices: made of one client's ready trips, numbered without gaps, frozen as they were made.

Numbers, totals, states and who may do what are the database's (sql/invoices_schema.sql). Amounts are dollars, as Decimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator

from backhaul.core.errors import Conflict, NotFound
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx
from backhaul.dispatch import forms
from backhaul.dispatch.forms import Form, also, record_ids, text
from backhaul.dispatch.wall_time import day, moment

_sql = Queries("invoices")


class NewInvoice(Form):
    """An invoice of these trips, all ready and of one client, who need not be named."""

    knumber: Annotated[str | None, forms.k_number("K Number")] = also("knumber", "kNumber")
    appointments: Annotated[list[UUID], record_ids("Appointments", most=500)] = also("appointmentIds", "appointment_ids")
    invoice_date: Annotated[date | None, day("Invoice date")] = also("invoiceDate", "invoice_date")
    notes: Annotated[str | None, text("Notes", longest=2000, lines=True)] = also("notes")
    email_to: forms.Email = also("emailTo", "email_to", "sendTo")


class InvoiceStatus(Form):
    """That an invoice was sent, or paid. `at`: when it really was; now, if left out."""

    id: Annotated[UUID, forms.record_id("Invoice", required=True)] = also("invoiceId", "id", "invoice_id")
    status: Annotated[str, forms.choice("Status", "sent", "paid", required=True)] = also("status")
    at: Annotated[datetime | None, moment("Date")] = also("at", "invoiceSentAt", "paymentReceivedAt", "sentAt", "paidAt")


class OneInvoice(Form):
    id: Annotated[UUID, forms.record_id("Invoice", required=True)] = also("invoiceId", "id", "invoice_id")


class TripsReady(Form):
    """Completed trips that are ready for an invoice, or not any more."""

    ids: Annotated[list[UUID], record_ids("Appointments", most=500)] = also(
        "appointmentIds", "appointment_ids", "appointmentId", "id"
    )
    ready: Annotated[bool, BeforeValidator(lambda value: value not in (False, "false"))] = also("ready")


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
    """invoice_status: created, sent, paid, void. tax_rate: a fraction. bill_to_*: whom it was made out to, on that day."""

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

    @property
    def label(self) -> str:
        return f"{self.invoice_number}, {self.bill_to_name} ({self.knumber})"


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
    invoice = await get(tx, (made or {})["id"])
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


async def page(
    db: Db,
    *,
    status: str | None = None,
    client: UUID | None = None,
    q: str | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> Page:
    """Newest first. after: the `next` of the page before. Raises: NotFound for a cursor nobody made."""
    term = (q or "").strip()
    escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    found: dict[str, Any] = {"status": status, "client": client, "q": f"%{escaped}%" if term else None}
    begin: Row = {"after_time": None, "after_id": None}
    if after is not None:
        place = await db.one(_sql.place, {"id": after})
        if place is None:
            raise NotFound("There is no such page", "The cursor was not made here", "Start from the first page", code="cursor")
        begin = place
    rows = await db.all(_sql.page, {**found, **begin, "limit": limit + 1})
    count = await db.one(_sql.count, found) or {"count": 0, "open_total": Decimal(0)}
    following = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page(rows[:limit], following, count["count"], count["open_total"])


async def ready(db: Db) -> list[Row]:
    """Clients with trips ready for an invoice: which, how many, what they come to, and how many have no rate."""
    return await db.all(_sql.ready)


async def set_ready(tx: Tx, form: TripsReady) -> list[UUID]:
    """Returns those that changed. Raises: Conflict for a trip that is not completed; Forbidden."""
    return [row["id"] for row in await tx.all(_sql.set_ready, {"ids": form.ids, "ready": form.ready})]


async def set_paid(tx: Tx, trips: Sequence[UUID], whom: Literal["driver", "agent"], at: datetime | None) -> list[UUID]:
    """That the driver, or the booking agent, was paid for completed trips; at None takes it back. Raises: Forbidden."""
    return [row["id"] for row in await tx.all(_sql.set_paid, {"ids": list(trips), "whom": whom, "at": at})]


async def put_document(db: Db, invoice_id: UUID, content: bytes) -> bool:
    """Keeps the PDF, once; False when there was one, which stays."""
    return await db.run(_sql.put_document, {"id": invoice_id, "content": content}) > 0


async def document(db: Db, invoice_id: UUID) -> bytes | None:
    """The PDF as it was made; None while it is being made."""
    row = await db.one(_sql.document, {"id": invoice_id})
    return bytes(row["content"]) if row else None
