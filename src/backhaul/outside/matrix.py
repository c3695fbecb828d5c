"""The office's two questions, from many places to one and from one to many, over the one call that every map service has.

An adapter says how its service is asked for a matrix and what its words mean (`_measure`). Where an address lies is asked of a
geocoder, which may be another's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from backhaul.core.outbound import Outbound
from backhaul.outside.geocoder import Geocoder
from backhaul.outside.maps import Address, Found, Leg, Place, Point, in_batches

T = TypeVar("T")


class Matrix(ABC):
    """The port `Maps`, but for the matrix itself.

    service: its name as people know it. places_a_call: on the side that has many, against one on the other.
    """

    service: str
    places_a_call: int

    def __init__(self, outbound: Outbound, geocoder: Geocoder) -> None:
        self._outbound = outbound
        self._geocoder = geocoder

    async def locate(self, address: Address) -> Found:
        return await self._geocoder.locate(address)

    def batches(self, places: Sequence[Place]) -> list[list[Place]]:
        return in_batches(places, self.places_a_call)

    async def minutes(self, starts: Sequence[Place], end: Point) -> dict[UUID, Leg]:
        """Driving time and distance from each start; a Leg without an answer says why.

        One place that nobody can reach does not fail the rest.
        Raises: RateLimited, Transient, Malformed; Misconfigured on a refused key or a wrong setting.
        """
        if not starts:
            return {}
        rows = await self._measure([start.point for start in starts], [end])
        return {start.id: row[0] for start, row in zip(starts, rows, strict=True)}

    async def minutes_to(self, start: Point, ends: Sequence[Place]) -> dict[UUID, Leg]:
        """Driving time and distance to each end; otherwise as `minutes`."""
        if not ends:
            return {}
        (row,) = await self._measure([start], [end.point for end in ends])
        return {end.id: leg for end, leg in zip(ends, row, strict=True)}

    @abstractmethod
    async def _measure(self, origins: Sequence[Point], destinations: Sequence[Point]) -> list[list[Leg]]:
        """A row for each origin, in it a leg for each destination, in their order. Raises as `minutes` does."""

    async def aclose(self) -> None:
        await self._outbound.aclose()
        await self._geocoder.aclose()


def cell(rows: Sequence[Sequence[T]], row: int, column: int) -> T | None:
    """What an answer has there; None where it is too short."""
    return rows[row][column] if row < len(rows) and column < len(rows[row]) else None
