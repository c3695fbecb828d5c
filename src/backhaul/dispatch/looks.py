"""Who looked at a record: written down, since people have a right to know. See accounts/activity_api.py."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request

from backhaul.core.http import actor
from backhaul.core.store import Tx
from backhaul.core.tokens import Claims

# an open card reads itself anew whenever its tasks move: one look of ten minutes is one entry
_VIEWED = b"""
select private.write_audit(%(action)s, %(entity)s, %(id)s, %(user)s, '{}', %(ip)s, %(agent)s)
 where not exists (
   select from public.audit_logs a
    where a.entity_type = %(entity)s and a.entity_id = %(id)s and a.action = %(action)s and a.user_id = %(user)s
      and a.ip_address is not distinct from %(ip)s::inet and a.created_at > public.task_now() - interval '10 minutes')
"""


async def note_look(tx: Tx, request: Request, claims: Claims, entity: str, ident: UUID) -> None:
    """Whoever asks has seen this record. The last statement of its transaction: what follows would be the house's, not theirs."""
    by = actor(request, claims)
    await tx.as_service()
    await tx.one(
        _VIEWED, {"action": f"view_{entity}", "entity": entity, "id": ident, "user": by.id, "ip": by.ip, "agent": by.user_agent}
    )
