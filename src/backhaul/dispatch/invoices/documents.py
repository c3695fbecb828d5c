"""The PDF of an invoice: drawn once, and kept."""

from __future__ import annotations

import asyncio
from uuid import UUID

from backhaul.core.store import Db
from backhaul.dispatch.admin import office_settings
from backhaul.dispatch.invoices import invoices


async def of(db: Db, invoice_id: UUID) -> bytes:
    """The PDF as it was made first; made and kept now, if there is none. Raises: NotFound."""
    kept = await invoices.document(db, invoice_id)
    if kept is not None:
        return kept
    from backhaul.dispatch.invoices import paper  # noqa: PLC0415  (fonts and pictures, for whoever draws an invoice)

    invoice = await invoices.get(db, invoice_id)
    lines = await invoices.lines(db, invoice_id)
    drawn = await asyncio.to_thread(paper.draw, invoice, lines, await office_settings.read(db))
    await invoices.put_document(db, invoice_id, drawn)
    return await invoices.document(db, invoice_id) or drawn  # of two that were made at once, the first stays
