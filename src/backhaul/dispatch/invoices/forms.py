"""What is sent about invoices: which trips, when sent or paid, and to whom by mail."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from backhaul.dispatch import forms
from backhaul.dispatch.forms import Form, also, record_ids, text
from backhaul.dispatch.wall_time import day, moment

_TRIPS = ("appointmentIds", "appointment_ids", "appointmentId", "id")
_INVOICE = ("invoiceId", "id", "invoice_id")


class NewInvoice(Form):
    """An invoice of these trips, all ready and of one client, who need not be named."""

    knumber: Annotated[str | None, forms.k_number("K Number")] = also("knumber", "kNumber")
    appointments: Annotated[list[UUID], record_ids("Appointments", most=500)] = also("appointmentIds", "appointment_ids")
    invoice_date: Annotated[date | None, day("Invoice date")] = also("invoiceDate", "invoice_date")
    notes: Annotated[str | None, text("Notes", longest=2000, lines=True)] = also("notes")
    email_to: forms.Email = also("emailTo", "email_to", "sendTo")


class InvoiceStatus(Form):
    """That an invoice was sent, or paid. `at`: when it really was; now, if left out."""

    id: Annotated[UUID, forms.record_id("Invoice", required=True)] = also(*_INVOICE)
    status: Annotated[str, forms.choice("Status", "sent", "paid", required=True)] = also("status")
    at: Annotated[datetime | None, moment("Date")] = also("at", "invoiceSentAt", "paymentReceivedAt", "sentAt", "paidAt")


class OneInvoice(Form):
    """Which invoice."""

    id: Annotated[UUID, forms.record_id("Invoice", required=True)] = also(*_INVOICE)


class SendInvoice(OneInvoice):
    """Which invoice goes to whom by e-mail."""

    email_to: forms.RequiredEmail = also("emailTo", "email_to", "sendTo")


class TripsReady(Form):
    """Completed trips that are ready for an invoice, or not any more."""

    ids: Annotated[list[UUID], record_ids("Appointments", most=500)] = also(*_TRIPS)
    ready: Annotated[bool, forms.yes_or_no("Ready", default=True)] = also("ready")


class TripsPaid(Form):
    """Completed trips for which somebody was paid. `at`: when; now, if left out. `paid` false takes it back."""

    ids: Annotated[list[UUID], record_ids("Appointments", most=500)] = also(*_TRIPS)
    paid: Annotated[bool, forms.yes_or_no("Paid", default=True)] = also("paid")
    at: Annotated[datetime | None, moment("Date")] = also("at", "paidAt", "paid_at", "driverPaidAt", "bookingAgentPaidAt")
