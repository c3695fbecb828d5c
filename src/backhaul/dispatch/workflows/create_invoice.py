"""create-invoice and send-invoice: the caller waits for the invoice alone; PDF and, where asked for, mail follow."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backhaul.core.errors import Unplaceable
from backhaul.core.store import Actor, Tx
from backhaul.core.task import Later, Retry, Run
from backhaul.core.workflow import Saved
from backhaul.dispatch.admin import office_settings
from backhaul.dispatch.invoices import documents, invoices
from backhaul.dispatch.invoices.forms import NewInvoice, SendInvoice
from backhaul.dispatch.invoices.invoices import Invoice
from backhaul.dispatch.invoices.words import money, spoken
from backhaul.dispatch.messages.mailing import mail_once
from backhaul.dispatch.office import LEAD, Office, workflow
from backhaul.outside.mail import Attachment, Message

create_invoice = workflow("create-invoice", NewInvoice, entity="invoice", audit="create_invoice", allow=LEAD)
send_invoice = workflow("send-invoice", SendInvoice, entity="invoice", audit="send_invoice", allow=LEAD)


# ── Sync phase: number, lines, trips, audit log and tasks are written in one commit ──
@create_invoice.sync
async def save_invoice(tx: Tx, form: NewInvoice, by: Actor) -> Saved:
    invoice = await invoices.create(tx, form)
    tasks: list[Later] = [generate_invoice_pdf.later(invoice.id)]
    if form.email_to:
        tasks.append(send_invoice_email.later(invoice.id))
    follows = "Its PDF follows in the background" + (", and goes to {} by e-mail." if form.email_to else ".")
    return Saved(
        invoice.id,
        invoice.label,
        f"{invoice.invoice_number} created: {money(invoice.invoice_total)}. {follows.format(form.email_to)}",
        details={"invoice_number": invoice.invoice_number, "trips": len(form.appointments), "mailed": bool(form.email_to)},
        reply={"invoice": answered(invoice)},
        then=tasks,
    )


@send_invoice.sync
async def save_sending(tx: Tx, form: SendInvoice, by: Actor) -> Saved:
    invoice = await invoices.address(tx, form)
    return Saved(
        invoice.id,
        invoice.label,
        f"{invoice.invoice_number} goes to {form.email_to} by e-mail in the background.",
        details={"invoice_number": invoice.invoice_number},
        reply={"invoice": answered(invoice)},
        then=[send_invoice_email.later(invoice.id)],
    )


def answered(invoice: Invoice) -> dict[str, Any]:
    """A saved invoice as the pages are answered."""
    return {
        "id": invoice.id,
        "invoice_number": invoice.invoice_number,
        "invoice_status": invoice.invoice_status,
        "invoice_subtotal": invoice.invoice_subtotal,
        "invoice_tax": invoice.invoice_tax,
        "invoice_total": invoice.invoice_total,
    }


# ── Background. The PDF is kept once, whoever makes it: a mail that comes first makes its own, and the other task finds it ──
@create_invoice.background(once_per="invoice_id", label="Generate invoice")
async def generate_invoice_pdf(run: Run[Office], invoice_id: UUID) -> dict[str, Any]:
    return {"bytes": len(await documents.of(run.db, await invoices.get(run.db, invoice_id)))}


@create_invoice.background(once_per="invoice_id", retry=Retry(attempts=8), lane="mail", label="Send invoice")
async def send_invoice_email(run: Run[Office], invoice_id: UUID) -> dict[str, Any]:
    """To whom it was addressed last, with the PDF; what is still open is sent from then on. See mailing.py for repeats."""
    invoice = await invoices.get(run.db, invoice_id)
    if invoice.is_void:
        return {"sent": False, "because": "It was voided meanwhile"}
    if invoice.mail_to is None:
        return {"sent": False, "because": "Nobody has said to whom"}
    mail = await _mail(run, invoice, invoice.mail_to)
    try:
        await mail_once(run, mail, f"invoice {invoice.invoice_number}")
    except Unplaceable as problem:
        todo = "Correct the e-mail address: open the invoice and send it again"
        raise Unplaceable(problem.service, problem.what, problem.why, todo, code=problem.code) from problem
    return {"sent": True, "status": await invoices.note_mailed(run.db, invoice_id)}


async def _mail(run: Run[Office], invoice: Invoice, to: str) -> Message:
    """It says what is asked for and until when. Where somebody was driven to stands in the PDF alone."""
    office = await office_settings.read(run.db)
    text = _TEXT.format(
        number=invoice.invoice_number,
        name=invoice.bill_to_name,
        day=spoken(invoice.invoice_date),
        total=money(invoice.invoice_total),
        until="is paid, thank you" if invoice.invoice_status == "paid" else f"is due by {spoken(invoice.due_date)}",
        office="\n".join(part for part in (office.business_name, office.business_address) if part),
    )
    paper = Attachment(f"{invoice.invoice_number}.pdf", "application/pdf", await documents.of(run.db, invoice))
    subject = f"Invoice {invoice.invoice_number} from {office.business_name}"
    return Message(to, subject, text, str(run.task_id), attachments=(paper,))


_TEXT = """\
Hello,

invoice {number} of {day} for {name} is attached. Its total of {total} {until}.

{office}
"""
