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
    "update_profile": "Changed their own profile",
    "sign_out_session": "Signed out one of their sessions",
    "sign_out_others": "Signed out everywhere else",
    "request_password_reset": "Asked for a link to a new password",
    "create_user": "Added a user",
    "update_user": "Changed a user",
    "deactivate_user": "Closed a user's account",
    "reset_password": "Reset a user's password",
    "unlock_user": "Unlocked a user",
    "end_user_sessions": "Signed a user out everywhere",
    "end_all_sessions": "Signed everybody out",
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
