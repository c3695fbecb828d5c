"""Google's Routes API: how long the drives are. The default; google_distance_matrix is for projects from before it.

We ask without traffic: a drive time kept for later bookings has no hour of departure, and costs half.
Source: Routes API, computeRouteMatrix; Routes API Usage and Billing (625 elements a call, coordinates not counted).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

import httpx
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from backhaul.core.answer import Answer
from backhaul.core.outbound import Limits
from backhaul.outside import google
from backhaul.outside.google_geocoding import GoogleGeocoding
from backhaul.outside.maps import NO_ROAD, Leg, Point, whole_minutes
from backhaul.outside.matrix import Matrix

ROUTES_URL = "https://routes.googleapis.com"
PATH = "/distanceMatrix/v2:computeRouteMatrix"
# Without `status` in the mask every element would look fine.
FIELDS = "originIndex,destinationIndex,status,condition,distanceMeters,duration,staticDuration,fallbackInfo"


class GoogleRoutes(Matrix):
    service = google.SERVICE
    places_a_call = 625

    def __init__(
        self,
        key: str,
        *,
        limits: Limits,
        base_url: str = ROUTES_URL,
        geocoding_url: str = google.MAPS_URL,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"X-Goog-Api-Key": key.strip(), "X-Goog-FieldMask": FIELDS}
        super().__init__(
            google.line(base_url, key.strip(), limits, transport, headers=headers, read_s=google.MATRIX_READ_S),
            GoogleGeocoding(key, limits=limits, base_url=geocoding_url, transport=transport),
        )

    async def _measure(self, origins: Sequence[Point], destinations: Sequence[Point]) -> list[list[Leg]]:
        """Source: computeRouteMatrix, [].duration ("662s"), [].distanceMeters (absent means 0), matched by the two indexes."""
        body = {
            "origins": [_waypoint(point) for point in origins],
            "destinations": [_waypoint(point) for point in destinations],
            "travelMode": "DRIVE",
            "routingPreference": "TRAFFIC_UNAWARE",
        }
        units = len(origins) * len(destinations)
        answer = await self._outbound.send("POST", PATH, repeatable=True, units=units, json=body, explain=google.explain)
        elements = self._outbound.read(answer, _ELEMENTS)
        self._raise_if_all_failed(elements, answer)
        by_pair = {(element.origin_index, element.destination_index): element for element in elements}
        return [[_leg(by_pair.get((i, j)), answer) for j in range(len(destinations))] for i in range(len(origins))]

    def _raise_if_all_failed(self, elements: list[_Element], answer: Answer) -> None:
        # An outage or a refused key may be told element by element. It is no place's fault, and must not be kept as one.
        if not elements:
            raise self._outbound.unreadable("It holds not one element")
        codes = {element.status.code for element in elements}
        if len(codes) == 1 and (problem := google.explain_rpc(codes.pop(), elements[0].status.message, answer)):
            raise problem


def nanoseconds(duration: str) -> int | None:
    """Google's text for a duration ("662s", "1.5s"; up to nine decimals) in whole nanoseconds; None if it is none."""
    if not (match := re.fullmatch(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?s", duration)):
        return None
    return int(match[1]) * 1_000_000_000 + int((match[2] or "").ljust(9, "0"))


class _Status(BaseModel):
    code: int = 0
    message: str = ""


class _Element(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    origin_index: int = 0
    destination_index: int = 0
    status: _Status = _Status()
    condition: str = ""
    distance_meters: int = Field(default=0, ge=0)
    duration: str = ""
    fallback_info: dict[str, object] | None = None


_ELEMENTS = TypeAdapter(list[_Element])


def _waypoint(point: Point) -> dict[str, object]:
    return {"waypoint": {"location": {"latLng": {"latitude": point.latitude, "longitude": point.longitude}}}}


def _leg(element: _Element | None, answer: Answer) -> Leg:
    if element is not None and element.status.code == 0 and element.condition == "ROUTE_EXISTS":
        drive = nanoseconds(element.duration)
        if drive is not None:
            minutes = whole_minutes(Fraction(drive, 1_000_000_000))
            return Leg(minutes=minutes, metres=element.distance_meters, fallback=element.fallback_info is not None)
    return Leg(error=_reason(element, answer))


def _reason(element: _Element | None, answer: Answer) -> str:
    if element is None:
        return google.SILENT
    if element.status.code == 5:
        return google.NOT_FOUND
    if element.status.code != 0:
        return google.unmeasured(answer, f"code {element.status.code}", element.status.message)
    if element.condition == "ROUTE_NOT_FOUND":
        return NO_ROAD
    if element.condition == "ROUTE_EXISTS":
        return google.NO_TIME
    return google.unmeasured(answer, element.condition)
