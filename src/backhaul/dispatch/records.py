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
    "create_user": "Made an account",
    "update_user": "Changed an account",
    "deactivate_user": "Deactivated an account",
    "reset_password": "Reset a password",
    "unlock_user": "Unlocked an account",
    "end_user_sessions": "Signed somebody out everywhere",
    "end_all_sessions": "Signed everybody out",
}

_sql = Queries("records")


async def labels(db: Db, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The names of the records with these ids, where they still exist and the reader may see them."""
    return {row["id"]: row["label"] for row in await db.all(_sql.labels, {"ids": list(ids)})}


async def named(db: Db, words: str) -> list[UUID]:
    """Records whose name fits this pattern of `ilike`; at most 200."""
    return [row["id"] for row in await db.all(_sql.named, {"words": words})]


def audit_log(workflows: Workflows[OfficeT]) -> AuditLog:
    """The audit log in the office's words, and by its days."""
    names = Names({*CORE_ACTIONS, *ACTIONS}, sayer(ACTIONS, CORE_ACTIONS), workflows.label, labels, named)
    return AuditLog(names, OFFICE_TIME)
