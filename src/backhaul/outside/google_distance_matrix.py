"""Google's Distance Matrix API (Legacy): for projects that have it. New projects can no longer switch it on.

Success needs three checks: HTTP, the top-level status, and each element's status.
Source: Distance Matrix API (Legacy) reference; 25 origins and 100 elements a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import httpx
from pydantic import BaseModel, Field, TypeAdapter

from backhaul.core.answer import Answer
from backhaul.core.outbound import Limits
from backhaul.outside import google
from backhaul.outside.google_geocoding import GoogleGeocoding
from backhaul.outside.maps import Address, Found, Leg, Place, Point, in_batches

PATH = "/maps/api/distancematrix/json"
MOST_ORIGINS = 25


class GoogleDistanceMatrix:
    service = google.SERVICE

    def __init__(
        self,
        key: str,
        *,
        limits: Limits,
        base_url: str = google.MAPS_URL,
        geocoding_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """geocoding_url: where it differs from base_url."""
        self._key = key.strip()
        self._outbound = google.line(base_url, self._key, limits, transport, read_s=google.MATRIX_READ_S)
        self._geocoding = GoogleGeocoding(key, limits=limits, base_url=geocoding_url or base_url, transport=transport)

    async def locate(self, address: Address) -> Found:
        return await self._geocoding.locate(address)

    def batches(self, places: Sequence[Place]) -> list[list[Place]]:
        return in_batches(places, MOST_ORIGINS)

    async def minutes(self, starts: Sequence[Place], end: Point) -> dict[UUID, Leg]:
        """Driving time and distance from each start; a Leg without an answer says why.

        One place that nobody can find does not fail the rest.
        Raises: RateLimited, Transient, Malformed; Misconfigured on a refused key.
        Source: rows[] follow origins, elements[] follow destinations; duration.value in seconds, distance.value in metres.
        """
        if not starts:
            return {}
        params = {
            "origins": "|".join(_lat_lng(start.point) for start in starts),
            "destinations": _lat_lng(end),
            "mode": "driving",
            "key": self._key,
        }
        answer = await self._outbound.send("GET", PATH, repeatable=True, units=len(starts), params=params, explain=google.explain)
        reply = self._outbound.read(answer, _REPLY)
        elements = [row.elements[0] if row.elements else None for row in reply.rows]
        elements += [None] * (len(starts) - len(elements))
        return {start.id: _leg(element, answer) for start, element in zip(starts, elements, strict=False)}

    async def aclose(self) -> None:
        await self._outbound.aclose()
        await self._geocoding.aclose()


class _Measure(BaseModel):
    value: float = Field(ge=0, allow_inf_nan=False)


class _Element(BaseModel):
    status: str
    distance: _Measure | None = None
    duration: _Measure | None = None


class _Row(BaseModel):
    elements: list[_Element] = []


class _Reply(BaseModel):
    status: Literal["OK"]  # every word of failure has been explained before
    rows: list[_Row] = []


_REPLY = TypeAdapter(_Reply)


def _lat_lng(point: Point) -> str:
    return f"{point.latitude:.7f},{point.longitude:.7f}"  # never "1e-05", which Google would take for a street


_REASONS = {
    "NOT_FOUND": google.NOT_FOUND,
    "ZERO_RESULTS": google.NO_ROAD,
    "MAX_ROUTE_LENGTH_EXCEEDED": google.TOO_LONG,
    "OK": google.NO_TIME,
}


def _leg(element: _Element | None, answer: Answer) -> Leg:
    if element is None:
        return Leg(error=google.SILENT)
    if element.status == "OK" and element.duration is not None:
        minutes = google.whole_minutes(round(element.duration.value * 1_000_000_000))
        return Leg(minutes=minutes, metres=round(element.distance.value) if element.distance else None)
    return Leg(error=_REASONS.get(element.status) or google.unmeasured(answer, element.status))
