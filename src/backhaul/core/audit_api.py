"""The audit log for those who may read it: searched, as a file, and its chain checked.

Reading it is an action like any other: each answer here that shows entries is written down in the log itself, with the conditions
that were asked for, but not with words that were typed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from backhaul.core import audit_chain
from backhaul.core.audit import BATCH, AuditLog, Page, Wanted, note_reading
from backhaul.core.audit_csv import as_csv
from backhaul.core.errors import Forbidden, Rejected
from backhaul.core.http import Answer, Asking, actor, person
from backhaul.core.store import Store, Tx
from backhaul.core.tokens import Claims

CSV_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}
Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="The `next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]

_Day = Annotated[date | None, Field(ge=date(1900, 1, 1), le=date(2999, 12, 31))]
_Verb = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,59}$")]
_MAY = b"select private.may('read_audit_log') as may"
_log = structlog.get_logger(__name__)


class Days(BaseModel):
    """Days of the office, the last one included."""

    model_config = ConfigDict(extra="ignore")
    since: _Day = Field(default=None, alias="from")
    until: _Day = Field(default=None, alias="to")

    def wanted(self, zone: ZoneInfo) -> Wanted:
        """Raises: Rejected when the last day comes before the first."""
        if self.since and self.until and self.until < self.since:
            raise Rejected("The last day is before the first", faults=["to must not be before from"], code="validation")
        return Wanted(
            since=datetime.combine(self.since, time.min, zone) if self.since else None,
            until=datetime.combine(self.until + timedelta(days=1), time.min, zone) if self.until else None,
        )


class Conditions(Days):
    """What is looked for; each condition narrows it down."""

    who: str | None = Field(default=None, max_length=100, description="A user's id, or a part of a name")
    action: list[_Verb] = Field(default_factory=list, max_length=50)
    entity_type: _Verb | None = None
    entity_id: UUID | None = None
    refused: bool = Field(default=False, description="Only what was tried and not done")
    q: str | None = Field(default=None, max_length=100, description="In the entry, or in the name of the record it is about")

    def wanted(self, zone: ZoneInfo) -> Wanted:
        typed = (self.who or "").strip()
        who = _as_id(typed)
        return replace(
            super().wanted(zone),
            who=who,
            name=None if who else typed or None,
            actions=self.action,
            entity_type=self.entity_type,
            entity_id=self.entity_id,
            refused=self.refused,
            words=(self.q or "").strip() or None,
        )


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


def _as_id(who: str) -> UUID | None:
    try:
        return UUID(who)
    except ValueError:
        return None
