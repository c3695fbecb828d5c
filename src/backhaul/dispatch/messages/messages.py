"""Text messages about trips: their words, and the record of what was sent, so that nothing is sent twice.

Whoever sends goes: `text`, `intend`, and only if that says `may_send`, the telephone system, then `settle`. After an answer that
was lost, the message stays unknown until somebody has looked (sql/messages_schema.sql).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator

from backhaul.core.errors import NotFound
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx
from backhaul.dispatch import forms
from backhaul.dispatch.changes import Changed
from backhaul.dispatch.forms import Form, also
from backhaul.outside.text_segments import segments

_sql = Queries("messages")

Audience = Literal["client", "driver"]
State = Literal["intended", "sent", "unknown", "refused"]

KINDS = {
    "client": ("booked", "changed", "cancelled", "reminder"),
    "driver": ("assigned", "changed", "unassigned", "cancelled", "reminder"),
}
PLACEHOLDERS = (
    "client_first_name", "driver_first_name", "date", "pickup_time", "appointment_time", "pickup_town", "business_name",
    "support_phone", "signature",
)  # fmt: skip
"""What a template may name, as private.placeholders has it. Neither the reason for a trip nor the clinic, which tells it."""
LONGEST = 400


def _body(value: object) -> str | None:
    """A template's words; nothing means the usual ones."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("Text must be text")
    body = value.strip()
    if not body or len(body) > LONGEST:
        raise ValueError(f"Text must have between 1 and {LONGEST} characters")
    named = re.findall(r"\{([^{}]*)\}", body)
    unknown = [name for name in named if name not in PLACEHOLDERS]
    if unknown:
        raise ValueError(f"Text cannot name {{{unknown[0]}}}; it can name {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}")
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", body)):
        raise ValueError("Text has a brace that is not closed")
    return body


class TemplateChange(Form):
    """The words of one message; without a body the usual ones come back."""

    audience: Annotated[str, forms.choice("Audience", *KINDS, required=True)] = also("audience")
    kind: Annotated[str, forms.choice("Kind", *sorted({kind for kinds in KINDS.values() for kind in kinds}), required=True)] = (
        also("kind")
    )
    body: Annotated[str | None, BeforeValidator(_body)] = also("body", "text")


@dataclass(frozen=True, slots=True)
class Template:
    id: UUID
    audience: str
    kind: str
    body: str
    usual_body: str
    updated_by: UUID | None
    updated_at: datetime

    def is_for(self, form: TemplateChange) -> bool:
        return (self.audience, self.kind) == (form.audience, form.kind)


@dataclass(frozen=True, slots=True)
class Intended:
    """A message that is written down. may_send: this caller is to send it, now; otherwise it was sent, refused, or may have been.

    created_at: since when it may have been sent; a look into the telephone system begins there.
    """

    id: UUID
    state: State
    may_send: bool
    to_number: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A reminder that is due. to_number: None where there is no telephone number; it is then to be refused, once.

    for_time: the pickup it speaks of. managed_by: whose booking it is. label: what people call the trip.
    """

    appointment_id: UUID
    audience: Audience
    recipient_id: UUID
    for_time: datetime
    to_number: str | None
    managed_by: UUID | None
    label: str


async def text(db: Db, appointment_id: UUID, audience: Audience, kind: str, *, driver: UUID | None = None) -> str:
    """What the message says of the trip as it is now. driver: whom it is for, when the trip is no longer theirs.

    Raises: NotFound when there is no such trip or kind.
    """
    row = await db.one(_sql.text, {"appointment": appointment_id, "audience": audience, "kind": kind, "driver": driver})
    if row is None or row["text"] is None:
        raise NotFound("There is nothing to say", "The trip was removed, or no such message is known", "Dismiss this")
    return str(row["text"])


def body_hash(body: str) -> str:
    """What is kept of a text, to find it by among those that were sent. White space counts as one blank."""
    return hashlib.sha256(" ".join(body.split()).encode()).hexdigest()


async def intend(
    db: Db,
    appointment_id: UUID,
    audience: Audience,
    recipient_id: UUID,
    kind: str,
    *,
    for_time: datetime,
    to_number: str | None,
    body: str,
    occasion: int = 0,
) -> Intended:
    """Writes the message down before it is sent. The same one again is the same row.

    for_time: the pickup it speaks of. occasion: for a notice, the version of the trip it speaks of; 0 for reminders.
    """
    intended = await db.one(
        _sql.intend,
        {
            "appointment": appointment_id,
            "audience": audience,
            "recipient": recipient_id,
            "kind": kind,
            "for_time": for_time,
            "occasion": occasion,
            "to_number": to_number,
            "body_hash": body_hash(body),
        },
        into=Intended,
    )
    if intended is None:
        raise LookupError("intend_message always answers with one row")
    return intended


async def settle(
    db: Db, message_id: UUID, state: State, *, provider_id: str | None = None, error: str | None = None
) -> State | None:
    """Says what came of it, and returns the state it is in: a message known to be sent stays sent. None: there is none."""
    row = await db.one(_sql.settle, {"id": message_id, "state": state, "provider_id": provider_id, "error": error})
    return row["state"] if row else None


async def due(db: Db, *, limit: int = 200) -> list[Due]:
    """Reminders to be sent now, the earliest pickup first; none outside the office's hours for it, or when they are off."""
    return await db.all(_sql.due, {"limit": limit}, into=Due)


async def of_appointment(db: Db, appointment_id: UUID) -> list[Row]:
    """All messages about a trip, in the order they were written down."""
    return await db.all(_sql.of_appointment, {"appointment": appointment_id})


async def to_look_at(db: Db, *, limit: int = 50) -> list[Row]:
    """Refused or unknown messages about trips that are not over, newest first."""
    return await db.all(_sql.to_look_at, {"limit": limit})


async def mark_sent(tx: Tx, message_id: UUID) -> Row:
    """They have it, as a person has found out; its failure is dealt with. The message: {id, appointment_id, audience, kind}.

    Raises: NotFound; Conflict for one that is not in doubt; Forbidden.
    """
    await tx.all(_sql.dismiss_failure, {"id": message_id})  # task first, then message: as whoever sends does
    marked = await tx.one(_sql.mark_sent, {"id": message_id})
    if marked is None:
        raise LookupError("mark_message_sent always answers with one row")
    return marked


async def templates(db: Db) -> list[Template]:
    return await db.all(_sql.templates, into=Template)


async def change_template(tx: Tx, form: TemplateChange) -> Changed[Template]:
    """Raises: NotFound for a kind that this audience is not sent; Forbidden for all but administrators."""
    which = {"audience": form.audience, "kind": form.kind}
    before = await tx.one(_sql.template, which, into=Template)
    after = await tx.one(_sql.put_template, which | {"body": form.body}, into=Template)
    if before is None or after is None:
        raise NotFound("There is no such message", "It is not sent to them, or not yours to change", "Choose from the list")
    return Changed(before, after)


async def preview(db: Db, body: str) -> str:
    """A template filled in for somebody who does not exist."""
    return str((await db.one(_sql.preview, {"body": body}) or {"text": ""})["text"])


async def told(db: Db, template: Template) -> Row:
    """A template as pages show it: with what it comes to, and how many texts that is."""
    return asdict(template) | {"preview": await shown(db, template.body)}


async def shown(db: Db, body: str) -> Row:
    """A template filled in for somebody who does not exist, and what that would cost. odd: characters that make it dearer."""
    text = await preview(db, body)
    return {"text": text, "length": len(text), **asdict(segments(text))}
