"""The record of activity: everything done to or by one client or user, views included. People have a right to it by law."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from backhaul.core.audit import BATCH, Page, Wanted
from backhaul.core.audit_api import CSV_FILE, Cursor, Limit, Reader, Reading
from backhaul.core.audit_conditions import Days
from backhaul.core.errors import NotFound, Rejected
from backhaul.core.http import Answer
from backhaul.core.store import Tx


class Whose(Days):
    """One client's, or one user's."""

    client: UUID | None = None
    user: UUID | None = None

    def subject(self) -> tuple[str, UUID]:
        """Raises: Rejected when it is not exactly one."""
        match (self.client, self.user):
            case (UUID() as client, None):
                return "client", client
            case (None, UUID() as user):
                return "user", user
        raise Rejected("Name one client or one user", faults=["client or user is required"], code="validation")


class OnePage(Whose):
    before: Cursor = None
    limit: Limit = 50


def activity_endpoints() -> APIRouter:
    api = APIRouter(tags=["audit"], default_response_class=Answer)

    @api.get("/webhook/get-activity-record")
    async def get_activity_record(reader: Reading, asked: Annotated[OnePage, Query()]) -> Any:
        """A client's or user's record of activity, newest first. Administrators."""
        async with reader.open() as tx:
            wanted, page = await _record(tx, reader, asked, before=asked.before, limit=asked.limit)
            await reader.note(tx, "view_activity_record", wanted)
        return {"success": True, "subject": wanted.about, "entries": page.entries, "next": page.next}

    @api.get("/webhook/get-activity-record/export", response_class=StreamingResponse, responses=CSV_FILE)
    async def export_activity_record(reader: Reading, asked: Annotated[Whose, Query()]) -> StreamingResponse:
        """The same as a CSV file, whole."""
        async with reader.open() as tx:
            wanted, first = await _record(tx, reader, asked, limit=BATCH)
            await reader.note(tx, "export_activity_record", wanted)
        kind, ident = asked.subject()
        return reader.file(wanted, first, f"activity-{kind}-{ident.hex[:8]}")

    return api


async def _record(tx: Tx, reader: Reader, asked: Whose, *, before: int | None = None, limit: int) -> tuple[Wanted, Page]:
    """Raises: NotFound for somebody who never was: no record, and no entry about one."""
    subject = await reader.log.subject(tx, *asked.subject())
    wanted = replace(asked.wanted(reader.log.zone), about=subject)
    page = await reader.log.page(tx, wanted, before=before, limit=limit)
    if subject.label is None and not page.entries:
        raise NotFound(
            f"There is no such {subject.type}", "Nobody has this id, and nothing was ever done", "Go back", code="audit.nobody"
        )
    return wanted, page
