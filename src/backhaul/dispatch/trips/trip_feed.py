"""What open pages hear of trips: that one they may see has changed, or that one is gone from those they could see."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from backhaul.core.queries import Queries
from backhaul.core.store import Tx, jsonb
from backhaul.core.tokens import Claims

_sql = Queries("trips")


class Announced(NamedTuple):
    """A trip that changed, with the days at the office, the drivers and the clients it touches: as it was, and as it is."""

    id: UUID
    days: frozenset[str]
    drivers: frozenset[UUID]
    clients: frozenset[UUID]


class TripFeed:
    """See core/stream.py. An event: {id, gone, days}; days is null to those who see only trips of their own."""

    channel = "trips"
    event = "trip"

    def understand(self, payload: str) -> Announced:
        said = json.loads(payload)
        drivers, clients = (frozenset(map(UUID, said[who])) for who in ("drivers", "clients"))
        return Announced(
            UUID(said["id"]), frozenset(date.fromisoformat(day).isoformat() for day in said["days"]), drivers, clients
        )

    def may_concern(self, said: Announced, claims: Claims) -> bool:
        return True  # which driver or client somebody is, and whether they are staff, the database knows

    async def read(self, tx: Tx, said: Collection[Announced], claims: Claims) -> list[dict[str, Any]]:
        """Several changes of one trip are one event."""
        whole: dict[UUID, Announced] = {}
        for one in said:
            known = whole.get(one.id, one)
            whole[one.id] = Announced(one.id, one.days | known.days, one.drivers | known.drivers, one.clients | known.clients)
        announced = [{**one._asdict(), "days": sorted(one.days)} for one in whole.values()]
        return [dict(row) for row in await tx.all(_sql.to_hear_of, {"announced": jsonb(announced)})]
