"""The PDF of an invoice: drawn once, and kept. When the invoice is voided another is drawn, which says so; the first stays."""

from __future__ import annotations

import asyncio

from backhaul.core.store import Db
from backhaul.dispatch.admin import office_settings
from backhaul.dispatch.invoices import invoices
from backhaul.dispatch.invoices.invoices import Invoice


async def of(db: Db, invoice: Invoice) -> bytes:
    """The PDF of the invoice as it was read, void or not, as it was made first; made and kept now, if there is none."""
    kept = await invoices.document(db, invoice.id, void=invoice.is_void)
    if kept is not None:
        return kept
    from backhaul.dispatch.invoices import paper  # noqa: PLC0415  (fonts and pictures, for whoever draws an invoice)

    lines = await invoices.lines(db, invoice.id)
    drawn = await asyncio.to_thread(paper.draw, invoice, lines, await office_settings.read(db))
    await invoices.put_document(db, invoice.id, drawn, void=invoice.is_void)
    return await invoices.document(db, invoice.id, void=invoice.is_void) or drawn  # of two made at once, the first stays
