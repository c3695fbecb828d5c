"""update-invoice-status-v2 and void-invoice: what became of an invoice. A void one gets a paper of its own in the background."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backhaul.core.store import Actor, Tx
from backhaul.core.task import Run
from backhaul.core.workflow import Saved
from backhaul.dispatch.invoices import documents, invoices
from backhaul.dispatch.invoices.forms import InvoiceStatus, OneInvoice
from backhaul.dispatch.office import LEAD, Office, workflow
from backhaul.dispatch.workflows.create_invoice import answered

update_invoice_status = workflow(
    "update-invoice-status-v2",
    InvoiceStatus,
    entity="invoice",
    audit="mark_invoice",
    allow=LEAD,
    aliases=("update-invoice-status",),
)
void_invoice = workflow("void-invoice", OneInvoice, entity="invoice", audit="void_invoice", allow=LEAD)


@update_invoice_status.sync
async def save_status(tx: Tx, form: InvoiceStatus, by: Actor) -> Saved:
    invoice = await invoices.mark(tx, form)
    return Saved(
        invoice.id,
        invoice.label,
        f"{invoice.invoice_number} is marked {invoice.invoice_status}",
        details={"invoice_number": invoice.invoice_number, "status": invoice.invoice_status},
        reply={"invoice": answered(invoice)},
    )


@void_invoice.sync
async def save_void(tx: Tx, form: OneInvoice, by: Actor) -> Saved:
    invoice = await invoices.void(tx, form.id)
    return Saved(
        invoice.id,
        invoice.label,
        f"{invoice.invoice_number} is void; its trips are ready for another invoice",
        details={"invoice_number": invoice.invoice_number},
        reply={"invoice": answered(invoice)},
        then=[draw_void_invoice.later(invoice.id)],
    )


# ── Background: its own paper, beside the one that somebody may have been sent, which stays as it was made ──
@void_invoice.background(once_per="invoice_id", label="Draw the void invoice")
async def draw_void_invoice(run: Run[Office], invoice_id: UUID) -> dict[str, Any]:
    return {"bytes": len(await documents.of(run.db, await invoices.get(run.db, invoice_id)))}
