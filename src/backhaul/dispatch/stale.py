"""A form that was opened before somebody else saved: refused, and told who saved, when, and which fields."""

from __future__ import annotations

from uuid import UUID

from backhaul.core.errors import Conflict
from backhaul.core.store import Tx
from backhaul.dispatch.wall_time import office

_LAST = b"""
select a.user_id = auth.uid() as mine, a.user_name, a.created_at, a.details -> 'fields_updated' as fields
  from public.audit_logs a
 where a.entity_type = %(entity)s and a.entity_id = %(id)s and a.success and a.action not like 'view%%'
 order by a.created_at desc, a.id limit 1
"""


async def check_fresh(tx: Tx, seen: int | None, stored: int, entity: tuple[str, UUID, str]) -> None:
    """seen: the version that the form was opened with; None when the page did not say. entity: kind, id, and what people call it.

    Raises: Conflict when it has been saved since.
    """
    if seen is None or seen == stored:
        return
    kind, entity_id, label = entity
    await tx.as_service()  # nothing is written from here on: who saved last is told, though not everybody reads the audit log
    last = await tx.one(_LAST, {"entity": kind, "id": entity_id})
    raise Conflict(
        f"{label} has been changed since you opened this form",
        _who(last) if last else "You are looking at an older version",
        "Nothing was saved, and what you typed is still here. Look at the newest, then save again",
        code="stale",
    )


def _who(last: dict[str, object]) -> str:
    # "yourself" alone: in another window, or in this one, whose answer was lost
    who = "You saved it yourself" if last["mine"] else f"{last['user_name'] or 'The system'} saved it"
    when = office(last["created_at"])  # type: ignore[arg-type]  # a timestamptz column
    fields = last["fields"]
    what = f" ({', '.join(str(name).replace('_', ' ') for name in fields)})" if isinstance(fields, list) and fields else ""
    return f"{who} on {when.day} {when:%B} at {when.hour}:{when.minute:02}{what}"
