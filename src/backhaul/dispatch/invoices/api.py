"""What the invoices page reads: trips to be invoiced, invoices, and their PDFs. For those who may see costs."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from backhaul.core.errors import Conflict, Forbidden, NotFound
from backhaul.core.http import Answer, Asking, person
from backhaul.core.queries import Queries
from backhaul.core.store import Row
from backhaul.core.task_api import Shape
from backhaul.dispatch.admin import office_settings
from backhaul.dispatch.invoices import invoices
from backhaul.dispatch.office import LEAD
from backhaul.dispatch.trips import appointment_lists

_tasks = Queries("tasks")

_Words = Annotated[str | None, Query(max_length=100, description="A part of a name or number")]
_After = Annotated[UUID | None, Query(description="The `next` of the page before")]


def invoice_endpoints(shape: Shape) -> APIRouter:
    api = APIRouter(tags=["invoices"], default_response_class=Answer)

    @api.get("/webhook/get-invoices")
    async def get_invoices(
        request: Request,
        claims: Asking,
        *,
        q: _Words = None,
        status: Annotated[Literal["created", "sent", "paid", "void", "open", "overdue"] | None, Query()] = None,
        client: UUID | None = None,
        after: _After = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Any:
        """Invoices, the newest first; open ones are created or sent. open_total: what of all these is not paid yet."""
        async with person(request, claims) as (tx, who):
            _lead_only(who)
            page = await invoices.page(tx, q=q, status=status, client=client, after=after, limit=limit)
        return {
            "success": True,
            "invoices": page.invoices,
            "count": page.count,
            "open_total": page.open_total,
            "next": page.next,
        }

    @api.get("/webhook/get-invoice")
    async def get_invoice(request: Request, claims: Asking, ident: Annotated[UUID, Query(alias="id")]) -> Any:
        """One invoice whole: its lines, its background work, and who did what to it, as far as one may know."""
        async with person(request, claims) as (tx, who):
            _lead_only(who)
            invoice = await invoices.get(tx, ident)
            answer = {
                "invoice": invoice,
                "around": await invoices.around(tx, ident),
                "lines": await invoices.lines(tx, ident),
                "changes": await invoices.changes(tx, ident),
            }
            tasks = await tx.all(_tasks.of_entity, {"entity_type": "invoice", "entity_id": ident})
        return {"success": True, **answer, "tasks": [shape(task) for task in tasks]}

    @api.get("/webhook/get-invoice-pdf", response_class=Response, responses={200: {"content": {"application/pdf": {}}}})
    async def get_invoice_pdf(
        request: Request,
        claims: Asking,
        ident: Annotated[UUID, Query(alias="id")],
        *,
        original: Annotated[bool, Query(description="Of a void invoice: the paper from before it was voided")] = False,
    ) -> Response:
        """The paper, as it was made once. That of a void invoice says so."""
        async with person(request, claims) as (tx, who):
            _lead_only(who)
            invoice = await invoices.get(tx, ident)
            void = invoice.is_void and not original
            paper = await invoices.document(tx, ident, void=void)
        if paper is None and original and invoice.is_void:
            raise NotFound(
                f"There is no earlier PDF of {invoice.invoice_number}",
                "It was voided before one was made",
                "Take the one that says so: ask without `original`",
                code="invoice.no_document",
            )
        if paper is None:
            raise Conflict(
                f"The PDF of {invoice.invoice_number} is not there yet",
                "It is made in the background",
                "Try again in a moment; if its making has failed, the invoice's card says why",
                code="invoice.no_document",
            )
        name = f'attachment; filename="{invoice.invoice_number}{"-void" if void else ""}.pdf"'
        return Response(paper, media_type="application/pdf", headers={"content-disposition": name, "cache-control": "no-store"})

    @api.get("/webhook/get-clients-to-invoice")
    async def get_clients_to_invoice(
        request: Request,
        claims: Asking,
        *,
        q: _Words = None,
        after: _After = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Any:
        """Clients with trips that are ready for an invoice, by name, and what these come to before tax. Totals are of all."""
        async with person(request, claims) as (tx, who):
            _lead_only(who)
            page = await invoices.ready(tx, q=q, after=after, limit=limit)
        return {
            "success": True,
            "clients": page.clients,
            "count": page.count,
            "trips": page.trips,
            "subtotal": page.subtotal,
            "next": page.next,
        }

    @api.get("/webhook/get-finance-appointments")
    async def get_finance_appointments(
        request: Request,
        claims: Asking,
        *,
        invoice_status: Annotated[
            Literal["ready", "not_ready"], Query(description="Completed trips that are ready for an invoice, or not yet")
        ] = "ready",
        unpaid: Annotated[
            bool, Query(description="Instead: completed trips whose driver or booking agent is not paid yet, invoiced or not")
        ] = False,
        q: _Words = None,
        client: UUID | None = None,
        after: _After = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Any:
        """Completed trips, the oldest first, with what is asked for them and when those who drove and booked them were paid.

        A trip costs its custom_rate; without one, the office's default_rate; where there is neither, it cannot be invoiced.
        """
        async with person(request, claims) as (tx, who):
            _lead_only(who)
            of = None if unpaid else invoice_status
            page = await invoices.trips_page(tx, of, client=client, q=q, after=after, limit=limit)
            office = await office_settings.read(tx)
        return {
            "success": True,
            "appointments": [appointment_lists.wire(row, costs=True) for row in page.trips],
            "count": page.count,
            "next": page.next,
            "default_rate": office.default_rate,
            "tax_rate": office.tax_rate,
            "invoice_due_days": office.invoice_due_days,
        }

    return api


def _lead_only(who: Row) -> None:
    if who["role"] not in LEAD:
        raise Forbidden("Only supervisors look after invoices", "Your role does not include it", "Ask a supervisor", code="role")
