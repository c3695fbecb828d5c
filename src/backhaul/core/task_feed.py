"""What open pages hear of tasks: each change of one they may see."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple
from uuid import UUID

from backhaul.core.queries import Queries
from backhaul.core.store import Row, Tx
from backhaul.core.tokens import Claims

_sql = Queries("tasks")


class Announced(NamedTuple):
    """A task that changed, and whose it is."""

    id: UUID
    owner: UUID | None


class TaskFeed:
    """See core/stream.py. shape: how a row goes over the wire."""

    channel = "background_tasks"
    event = "task"

    def __init__(self, shape: Callable[[Row], dict[str, Any]]) -> None:
        self._shape = shape

    def understand(self, payload: str) -> Announced:
        said = json.loads(payload)
        return Announced(UUID(said["id"]), UUID(said["created_by"]) if said["created_by"] else None)

    def may_concern(self, said: Announced, claims: Claims) -> bool:
        return said.owner == claims.user_id or claims.role in ("supervisor", "admin")

    async def read(self, tx: Tx, said: Collection[Announced], claims: Claims) -> list[dict[str, Any]]:
        rows = await tx.all(_sql.by_ids, {"ids": list({one.id for one in said})})
        return [self._shape(row) | {"mine": row["created_by"] == claims.user_id} for row in rows]
