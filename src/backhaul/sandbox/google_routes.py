"""Google Routes, computeRouteMatrix: field mask, limits, elements in no particular order, zeros left out.

Source: external service notes 2.2. A duration is with traffic only when asked with TRAFFIC_AWARE or TRAFFIC_AWARE_OPTIMAL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from backhaul.sandbox import gazetteer
from backhaul.sandbox.door import proxy_page
from backhaul.sandbox.faults import Fault
from backhaul.sandbox.geography import MODEL, Point, drive, in_traffic
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal, Refused, Window

_FIELDS = frozenset({
    "originIndex", "destinationIndex", "status", "condition", "distanceMeters", "duration", "staticDuration", "fallbackInfo",
    "travelAdvisory", "localizedValues",
})  # fmt: skip
_OVER_QUOTA = "Quota exceeded for quota metric 'Elements' and limit 'Elements per minute'."


class GoogleRoutes:
    service = "maps"
    label = "Google Routes"

    def __init__(self, clock: Clock, elements_per_minute: int | None) -> None:
        self._clock = clock
        self._quota = Window(elements_per_minute, 60, clock)

    def calls(self) -> Sequence[Call]:
        return [Call("POST", "/distanceMatrix/v2:computeRouteMatrix", self._matrix)]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return _REFUSALS

    def _matrix(self, ask: Ask) -> Response:
        _check_key(ask)
        mask = _mask(ask)
        request = _read(ask)
        elements = len(request.origins) * len(request.destinations)
        ask.notes.update(
            origins=[origin.waypoint.text for origin in request.origins],
            destinations=[end.waypoint.text for end in request.destinations],
            elements=elements,
        )
        self._check_rules(request, elements)
        if not self._quota.admits("project", elements):
            raise Refused(
                error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Elements' and limit 'Elements per minute'.")
            )
        starts, ends = ([place.waypoint.point() for place in side] for side in (request.origins, request.destinations))
        departure = request.departure or self._clock()
        leaving = departure if request.with_traffic else None
        cells = [
            {"originIndex": origin, "destinationIndex": end} | _element(starts[origin], ends[end], leaving, ask.mood)
            for origin in range(len(starts))
            for end in range(len(ends))
        ]
        cells.sort(key=lambda cell: hashlib.sha256(f"{cell['originIndex']}/{cell['destinationIndex']}".encode()).digest())
        shown = [{name: value for name, value in cell.items() if mask is None or name in mask} for cell in cells]
        return JSONResponse(shown, headers={"X-Stand-In-Model": MODEL})

    def _check_rules(self, request: _Request, elements: int) -> None:
        optimal = request.routing_preference == "TRAFFIC_AWARE_OPTIMAL"
        limit = 100 if optimal or request.travel_mode == "TRANSIT" else 625
        if elements > limit:
            raise _invalid(f"Too many elements: {elements} exceed the limit of {limit}.")
        named = sum(place.waypoint.location is None for place in (*request.origins, *request.destinations))
        if named > 50:
            raise _invalid(f"Too many waypoints specified by address or place ID: {named} exceed the limit of 50.")
        if request.routing_preference and request.travel_mode not in ("DRIVE", "TWO_WHEELER"):
            raise _invalid("Routing preference cannot be set for this travel mode.")
        if request.arrival and request.travel_mode != "TRANSIT":
            raise _invalid("Arrival time can only be set for TRANSIT.")
        late = self._clock() - timedelta(minutes=1)  # the way here takes time; clocks differ
        if request.departure and request.departure < late and request.travel_mode != "TRANSIT":
            raise _invalid("Timestamp must be set to a future time.")
        if request.traffic_model and not (optimal and request.travel_mode == "DRIVE"):
            raise _invalid("Traffic model can only be set for DRIVE with TRAFFIC_AWARE_OPTIMAL.")


def error(code: int, status: str, message: str, *, fault: Fault | None = None) -> Response:
    """Google's error body; inside an array where the fault orders it, as the streaming method may send it."""
    body: object = {"error": {"code": code, "message": message, "status": status}}
    headers = {"Retry-After": str(fault.retry_after)} if fault and fault.retry_after is not None else None
    return JSONResponse([body] if fault and fault.wrapped else body, status_code=code, headers=headers)


class _Part(BaseModel):
    """Google's JSON reader refuses names it does not know, so this one does."""

    model_config = ConfigDict(extra="forbid")


class _LatLng(_Part):
    latitude: float = Field(default=0.0, ge=-90, le=90)
    longitude: float = Field(default=0.0, ge=-180, le=180)


class _Location(_Part):
    lat_lng: _LatLng = Field(alias="latLng")
    heading: int | None = None


class _Waypoint(_Part):
    location: _Location | None = None
    address: str | None = None
    place_id: str | None = Field(default=None, alias="placeId")
    via: bool = False
    side_of_road: bool = Field(default=False, alias="sideOfRoad")
    vehicle_stopover: bool = Field(default=False, alias="vehicleStopover")

    def point(self) -> Point | None:
        """None when nobody knows the place."""
        if self.location:
            return Point(self.location.lat_lng.latitude, self.location.lat_lng.longitude)
        if self.place_id:
            return gazetteer.by_place_id(self.place_id)
        found = gazetteer.find(self.address or "")
        return found.point if found else None

    @property
    def text(self) -> str:
        if self.location:
            return f"{self.location.lat_lng.latitude},{self.location.lat_lng.longitude}"
        return self.address or f"place_id:{self.place_id}"


class _End(_Part):
    waypoint: _Waypoint


class _Start(_End):
    route_modifiers: dict[str, object] | None = Field(default=None, alias="routeModifiers")


class _Request(_Part):
    origins: list[_Start] = Field(min_length=1)
    destinations: list[_End] = Field(min_length=1)
    travel_mode: Literal["DRIVE", "BICYCLE", "WALK", "TWO_WHEELER", "TRANSIT"] = Field(default="DRIVE", alias="travelMode")
    routing_preference: Literal["TRAFFIC_UNAWARE", "TRAFFIC_AWARE", "TRAFFIC_AWARE_OPTIMAL"] | None = Field(
        default=None, alias="routingPreference"
    )
    departure: AwareDatetime | None = Field(default=None, alias="departureTime")
    arrival: AwareDatetime | None = Field(default=None, alias="arrivalTime")
    traffic_model: Literal["BEST_GUESS", "PESSIMISTIC", "OPTIMISTIC"] | None = Field(default=None, alias="trafficModel")
    language: str | None = Field(default=None, alias="languageCode")
    region: str | None = Field(default=None, alias="regionCode")
    units: Literal["METRIC", "IMPERIAL"] | None = None
    extra_computations: list[str] | None = Field(default=None, alias="extraComputations")

    @property
    def with_traffic(self) -> bool:
        return self.routing_preference in ("TRAFFIC_AWARE", "TRAFFIC_AWARE_OPTIMAL")


def _check_key(ask: Ask) -> None:
    key = ask.headers.get("X-Goog-Api-Key") or ask.headers.get("Authorization", "").removeprefix("Bearer ")
    if not key or key == "refused":
        raise Refused(error(403, "PERMISSION_DENIED", "The request is missing a valid API key."))


def _mask(ask: Ask) -> frozenset[str] | None:
    """The top-level fields asked for; None for all."""
    wanted = frozenset(name.strip().split(".")[0] for name in ask.headers.get("X-Goog-FieldMask", "").split(",") if name.strip())
    if not wanted:
        raise _invalid(
            "FieldMask is a required parameter. See https://cloud.google.com/apis/docs/system-parameters on how to provide it."
        )
    if "*" in wanted:
        return None
    if unknown := sorted(wanted - _FIELDS):
        raise _invalid(f"Error expanding 'fields' parameter. Cannot find matching fields for path '{unknown[0]}'.")
    return wanted


def _read(ask: Ask) -> _Request:
    try:
        request = _Request.model_validate(ask.json())
    except ValidationError as problem:
        first = problem.errors()[0]
        raise _invalid(f"Invalid value at '{'.'.join(map(str, first['loc']))}': {first['msg']}") from problem
    except ValueError as problem:
        raise _invalid(f"Invalid JSON payload received. {problem}") from problem
    for place in (*request.origins, *request.destinations):
        if sum(way is not None for way in (place.waypoint.location, place.waypoint.address, place.waypoint.place_id)) != 1:
            raise _invalid("Each waypoint must have exactly one of: location, address, placeId.")
    return request


def _element(start: Point | None, end: Point | None, departure: datetime | None, mood: str) -> dict[str, object]:
    """One pair; `departure` None: without traffic. Zeros are left out, as protobuf does, except for the two indexes."""
    if start is None or end is None:
        return {"status": {"code": 5, "message": f"The {'destination' if start else 'origin'} address was not found."}}
    leg = None if mood == "zero" else drive(start, end)
    if leg is None:
        return {"status": {}, "condition": "ROUTE_NOT_FOUND"}
    seconds = in_traffic(leg.seconds, departure) if departure else leg.seconds
    element: dict[str, object] = {"status": {}, "condition": "ROUTE_EXISTS"}
    if leg.metres:
        element["distanceMeters"] = leg.metres
    element |= {"duration": f"{seconds}s", "staticDuration": f"{leg.seconds}s"}
    if mood == "fallback":
        element["fallbackInfo"] = {"routingMode": "FALLBACK_TRAFFIC_UNAWARE", "reason": "LATENCY_EXCEEDED"}
    return element


def _invalid(message: str) -> Refused:
    return Refused(error(400, "INVALID_ARGUMENT", message))


def _refusal(code: int, status: str, message: str) -> Refusal:
    return lambda fault: error(code, status, message, fault=fault)


_DENIED = _refusal(403, "PERMISSION_DENIED", "Requests to this API are blocked, or the API is not enabled in this project.")
_REFUSALS: Mapping[str, Refusal] = {
    "401": _refusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "402": _refusal(403, "PERMISSION_DENIED", "This API method requires billing to be enabled."),
    "403": _DENIED,
    "denied": _DENIED,
    "404": lambda fault: proxy_page(404),
    "429": _refusal(429, "RESOURCE_EXHAUSTED", _OVER_QUOTA),
    "500": _refusal(500, "INTERNAL", "Internal error encountered."),
    "503": _refusal(503, "UNAVAILABLE", "The service is currently unavailable."),
    "504": _refusal(504, "DEADLINE_EXCEEDED", "Deadline exceeded."),
}
