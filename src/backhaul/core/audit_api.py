"""The audit log for those who may read it: searched, as a file, and its chain checked.

Reading it is an action like any other: each answer here that shows entries is written down in the log itself, with the conditions
that were asked for, but not with words that were typed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from backhaul.core import audit_chain
from backhaul.core.audit import BATCH, AuditLog, Page, Wanted, note_reading
from backhaul.core.audit_conditions import Conditions
from backhaul.core.audit_csv import as_csv
from backhaul.core.errors import Forbidden, Rejected
from backhaul.core.http import Answer, Asking, actor, person
from backhaul.core.store import Store, Tx
from backhaul.core.tokens import Claims

CSV_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}
Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="The `next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]

_MAY = b"select private.may('read_audit_log') as may"
_log = structlog.get_logger(__name__)


class Search(Conditions):
    before: Cursor = None
    limit: Limit = 50


class Reader:
    """Somebody who asks to read the log: a transaction that lets them in or not, the note of it, and a file to take away."""

    def __init__(self, request: Request, claims: Asking) -> None:
        self.log: AuditLog = request.app.state.audit_log
        self._request = request
        self._claims: Claims = claims

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Tx]:
        """A transaction in their name. Raises: Forbidden; Rejected when what they look for takes too long to find."""
        try:
            async with person(self._request, self._claims) as (tx, _):
                if not (await tx.one(_MAY) or {})["may"]:
                    raise Forbidden(
                        "Only administrators may read the audit log", "Your role does not include it", "Ask one", code="role"
                    )
                yield tx
        except psycopg.errors.QueryCanceled:
            raise Rejected(
                "This search takes too long",
                "The log is large, and words are looked for in every entry",
                "Narrow it down: some days, a person, an action",
                code="audit.too_long",
            ) from None

    async def note(self, tx: Tx, action: str, wanted: Wanted) -> None:
        """Writes down that they read; from here on the transaction is the house's own."""
        await tx.as_service()
        await note_reading(tx, action, wanted, actor(self._request, self._claims))

    def file(self, wanted: Wanted, first: Page, stem: str) -> StreamingResponse:
        """All that is wanted, as CSV. stem: of the file's name; letters, digits and hyphens only."""
        name = f"{stem}-{datetime.now(self.log.zone).date().isoformat()}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        batches = self.log.batches(wanted, first, self.open)
        return StreamingResponse(as_csv(batches, self.log.zone), media_type="text/csv; charset=utf-8", headers=headers)


Reading = Annotated[Reader, Depends()]


def audit_endpoints() -> APIRouter:
    api = APIRouter(tags=["audit"], default_response_class=Answer)

    @api.get("/webhook/get-audit-log")
    async def get_audit_log(reader: Reading, asked: Annotated[Search, Query()]) -> Any:
        """The audit log, newest first. Administrators."""
        wanted = asked.wanted(reader.log.zone)
        async with reader.open() as tx:
            page = await reader.log.page(tx, wanted, before=asked.before, limit=asked.limit)
            actions = await reader.log.actions(tx)
            await reader.note(tx, "view_audit_log", wanted)
        return {"success": True, "entries": page.entries, "next": page.next, "actions": actions}

    @api.get("/webhook/get-audit-log/export", response_class=StreamingResponse, responses=CSV_FILE)
    async def export_audit_log(reader: Reading, asked: Annotated[Conditions, Query()]) -> StreamingResponse:
        """The same as a CSV file, whole."""
        wanted = asked.wanted(reader.log.zone)
        async with reader.open() as tx:
            first = await reader.log.page(tx, wanted, limit=BATCH)
            await reader.note(tx, "export_audit_log", wanted)
        return reader.file(wanted, first, "audit-log")

    @api.get("/webhook/audit-verify")
    async def audit_verify(request: Request, reader: Reading) -> Any:
        """Whether every entry is as it was sealed. It walks the whole log, so one at a time. Administrators."""
        async with reader.open():
            pass
        store: Store = request.app.state.store
        async with store.service() as tx:
            await audit_chain.alone(tx)
            verdict = await audit_chain.verify(tx)
        if verdict.broken is not None:
            _log.error("audit log broken", seq=verdict.broken.seq, why=verdict.broken.why)
        return {"success": True, "message": reader.log.verdict(verdict), **verdict.told(), "checked_at": datetime.now(UTC)}

    return api
