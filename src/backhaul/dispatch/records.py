"""What the office calls its records and what is done with them: for the audit log, which knows ids and verbs only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from backhaul.core.audit import AuditLog, Names
from backhaul.core.audit_words import CORE_ACTIONS, sayer
from backhaul.core.queries import Queries
from backhaul.core.store import Db
from backhaul.core.task import OfficeT
from backhaul.core.workflow import Workflows
from backhaul.dispatch.office import OFFICE_TIME

# Every verb in the log that is the office's own. The core's are in core/audit_words.py.
ACTIONS: Mapping[str, str] = {
    "view_client": "Looked at a client",
    "create_client": "Added a client",
    "update_client": "Changed a client",
    "create_driver": "Added a driver",
    "update_driver": "Changed a driver",
    "make_driver_calendar": "Asked for a driver's calendar",
    "create_time_off": "Entered a driver's time off",
    "update_time_off": "Changed a driver's time off",
    "delete_time_off": "Removed a driver's time off",
    "create_destination": "Added a destination",
    "update_destination": "Changed a destination",
    "view_appointment": "Looked at a trip",
    "create_appointment": "Booked a trip",
    "update_appointment": "Changed a trip",
    "assign_driver": "Changed who drives a trip",
    "cancel_appointment": "Cancelled a trip",
    "archive_appointment": "Archived a trip",
    "unarchive_appointment": "Took a trip out of the archive",
    "delete_appointment": "Deleted a trip",
    "create_invoice": "Created an invoice",
    "send_invoice": "Sent an invoice by e-mail",
    "mark_invoice": "Marked an invoice sent or paid",
    "void_invoice": "Voided an invoice",
    "mark_trip_ready": "Marked a trip ready, or not ready, for an invoice",
    "mark_driver_paid": "Marked a trip's driver paid, or not",
    "mark_agent_paid": "Marked a trip's booking agent paid, or not",
    "update_profile": "Changed their own profile",
    "sign_out_session": "Signed out one of their sessions",
    "sign_out_others": "Signed out everywhere else",
    "request_password_reset": "Asked for a link to a new password",
    "create_user": "Added a user",
    "update_user": "Changed a user",
    "deactivate_user": "Closed a user's account",
    "reset_password": "Reset a user's password",
    "unlock_user": "Unlocked a user",
    "link_user": "Changed whose trips a user sees",
    "end_user_sessions": "Signed a user out everywhere",
    "end_all_sessions": "Signed everybody out",
    "update_settings": "Changed the office's settings",
    "mark_message_sent": "Noted that a text had been sent",
    "update_template": "Changed the words of a message",
}

_sql = Queries("records")


async def labels(db: Db, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The names of the records with these ids, where they still exist and the reader may see them."""
    return {row["id"]: row["label"] for row in await db.all(_sql.labels, {"ids": list(ids), "zone": OFFICE_TIME.key})}


async def named(db: Db, words: str) -> list[UUID]:
    """Records whose name, or whose client's, fits this pattern of `ilike`; at most 5,000."""
    return [row["id"] for row in await db.all(_sql.named, {"words": words})]


async def belonging(db: Db, kind: str, ident: UUID) -> list[tuple[str, UUID]]:
    """A client's trips and invoices are a part of what was done to them; other records have no parts."""
    rows = await db.all(_sql.of_client, {"id": ident}) if kind == "client" else []
    return [(row["type"], row["id"]) for row in rows]


def audit_log(workflows: Workflows[OfficeT]) -> AuditLog:
    """The audit log in the office's words, and by its days."""
    names = Names({*CORE_ACTIONS, *ACTIONS}, sayer(ACTIONS, CORE_ACTIONS), workflows.label, labels, named, belonging)
    return AuditLog(names, OFFICE_TIME)
