"""Google's Distance Matrix API (Legacy): for projects that have it. New projects can no longer switch it on.

Success needs three checks: HTTP, the top-level status, and each element's status.
Source: Distance Matrix API (Legacy) reference; 25 origins and 100 elements a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import httpx
from pydantic import BaseModel, Field, TypeAdapter

from backhaul.core.answer import Answer
from backhaul.core.outbound import Limits
from backhaul.outside import google
from backhaul.outside.google_geocoding import GoogleGeocoding
from backhaul.outside.maps import NO_ROAD, Leg, Point, whole_minutes
from backhaul.outside.matrix import Matrix, cell

PATH = "/maps/api/distancematrix/json"


class GoogleDistanceMatrix(Matrix):
    service = google.SERVICE
    places_a_call = 25  # of 25 origins, 25 destinations and 100 elements

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
        super().__init__(
            google.line(base_url, self._key, limits, transport, read_s=google.MATRIX_READ_S),
            GoogleGeocoding(key, limits=limits, base_url=geocoding_url or base_url, transport=transport),
        )

    async def _measure(self, origins: Sequence[Point], destinations: Sequence[Point]) -> list[list[Leg]]:
        """Source: rows[] follow origins, elements[] follow destinations; duration.value in seconds, distance.value in metres."""
        params = {
            "origins": "|".join(map(_lat_lng, origins)),
            "destinations": "|".join(map(_lat_lng, destinations)),
            "mode": "driving",
            "key": self._key,
        }
        units = len(origins) * len(destinations)
        answer = await self._outbound.send("GET", PATH, repeatable=True, units=units, params=params, explain=google.explain)
        rows = [row.elements for row in self._outbound.read(answer, _REPLY).rows]
        return [[_leg(cell(rows, i, j), answer) for j in range(len(destinations))] for i in range(len(origins))]


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
    "ZERO_RESULTS": NO_ROAD,
    "MAX_ROUTE_LENGTH_EXCEEDED": google.TOO_LONG,
    "OK": google.NO_TIME,
}


def _leg(element: _Element | None, answer: Answer) -> Leg:
    if element is None:
        return Leg(error=google.SILENT)
    if element.status == "OK" and element.duration is not None:
        metres = round(element.distance.value) if element.distance else None
        return Leg(minutes=whole_minutes(element.duration.value), metres=metres)
    return Leg(error=_REASONS.get(element.status) or google.unmeasured(answer, element.status))
