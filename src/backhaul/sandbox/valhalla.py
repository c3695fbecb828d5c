"""Valhalla's matrix and route: one place that lies apart, or has no road near, fails the whole matrix.

Source: external service notes 8, and valhalla_service 3.9.1 as it answered. Ordered `zero`, the matrix leaves all pairs empty, as
the real one does now and then; the route says that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import JSONResponse, Response

from backhaul.sandbox.door import PROXY_REFUSALS
from backhaul.sandbox.geography import MODEL, Leg, Point, drive, great_circle_m, nearest_road
from backhaul.sandbox.vendor import Ask, Call, Refusal, Refused

_MOST_PAIRS = 2_500
_MATRIX_REACH_M = 400_000.0
_CUTOFF_M = 35_000.0
_COSTINGS = {"auto", "bicycle", "bus", "motor_scooter", "motorcycle", "pedestrian", "taxi", "truck"}
_WORDS = {
    100: "Failed to parse json request",
    112: "Insufficiently specified required parameter 'locations' or 'sources & targets'",
    120: "Insufficient number of locations provided",
    124: "No edge/node costing provided",
    125: "No costing method found",
    130: "Failed to parse location",
    131: "Failed to parse source",
    132: "Failed to parse target",
    150: "Exceeded max locations: 2500.000000",
    154: "Path distance exceeds the max distance limit: 400000 meters",
    170: "Locations are in unconnected regions. Go check/edit the map at osm.org",
    171: "No suitable edges near location",
    442: "No path could be found for input",
}


class Valhalla:
    service = "maps"
    label = "Valhalla"

    def calls(self) -> Sequence[Call]:
        return [Call("POST", "/sources_to_targets", self._matrix), Call("POST", "/route", self._route)]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return {**PROXY_REFUSALS, **{str(code): _refusal(code) for code in (150, 154, 170, 171, 442)}}

    def _matrix(self, ask: Ask) -> Response:
        body = _body(ask)
        starts, ends = _locations(body, "sources", 131), _locations(body, "targets", 132)
        _check_costing(body)
        pairs = len(starts) * len(ends)
        ask.notes.update(origins=_texts(starts), destinations=_texts(ends), elements=pairs)
        if pairs > _MOST_PAIRS:
            raise _refused(150)
        if any(great_circle_m(start.point, end.point) > _MATRIX_REACH_M for start in starts for end in ends):
            raise _refused(154)
        if not all(place.has_road for place in (*starts, *ends)):
            raise _refused(170)  # only its route tells this from what follows
        rows = [[drive(start.point, end.point) for end in ends] for start in starts]
        if any(leg is None for row in rows for leg in row):
            raise _refused(170)
        cells = [[None if ask.mood == "zero" else leg for leg in row] for row in rows]
        answer = {"sources_to_targets": _verbose(cells, body) if body.get("verbose", True) else _slim(cells, body)}
        return JSONResponse(answer | {"units": _units(body), "algorithm": "costmatrix"}, headers={"X-Stand-In-Model": MODEL})

    def _route(self, ask: Ask) -> Response:
        body = _body(ask)
        places = _locations(body, "locations", 130)
        _check_costing(body)
        ask.notes.update(locations=_texts(places))
        if len(places) != 2:
            raise _refused(120)  # the real one takes more than two
        if not all(place.has_road for place in places):
            raise _refused(171)
        leg = drive(places[0].point, places[1].point)
        if leg is None:
            raise _refused(170)
        if ask.mood == "zero":
            raise _refused(442)
        summary = {"time": float(leg.seconds), "length": _length(leg, body)}
        trip = {"status": 0, "status_message": "Found route between points", "units": _units(body), "summary": summary}
        return JSONResponse({"trip": trip | {"legs": [{"summary": summary}]}}, headers={"X-Stand-In-Model": MODEL})


class _Location(BaseModel):
    """A point, and how far from it a road may be."""

    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)
    search_cutoff: float = _CUTOFF_M

    @property
    def point(self) -> Point:
        return Point(self.lat, self.lon)

    @property
    def has_road(self) -> bool:
        return nearest_road(self.point)[1] <= self.search_cutoff


def _body(ask: Ask) -> dict[str, Any]:
    try:
        body = ask.json()
    except ValueError as problem:
        raise _refused(100) from problem
    if not isinstance(body, dict):
        raise _refused(100)
    return body


def _locations(body: Mapping[str, Any], side: str, code: int) -> list[_Location]:
    given = body.get(side)
    if not isinstance(given, list) or not given:
        raise _refused(112)
    try:
        return [_Location.model_validate(one) for one in given]
    except ValidationError as problem:
        raise _refused(code) from problem


def _check_costing(body: Mapping[str, Any]) -> None:
    if "costing" not in body:
        raise _refused(124)
    if body["costing"] not in _COSTINGS:
        raise Refused(_error(125, f"{_WORDS[125]}: '{body['costing']}'"))


def _verbose(rows: Sequence[Sequence[Leg | None]], body: Mapping[str, Any]) -> list[list[dict[str, object]]]:
    return [
        [
            {
                "from_index": i,
                "to_index": j,
                "time": leg.seconds if leg else None,
                "distance": _length(leg, body) if leg else None,
            }
            for j, leg in enumerate(row)
        ]
        for i, row in enumerate(rows)
    ]


def _slim(rows: Sequence[Sequence[Leg | None]], body: Mapping[str, Any]) -> dict[str, object]:
    return {
        "durations": [[leg.seconds if leg else None for leg in row] for row in rows],
        "distances": [[_length(leg, body) if leg else None for leg in row] for row in rows],
    }


def _units(body: Mapping[str, Any]) -> str:
    return "miles" if body.get("units") in ("miles", "mi") else "kilometers"


def _length(leg: Leg, body: Mapping[str, Any]) -> float:
    return round(leg.metres / (1609.344 if _units(body) == "miles" else 1000), 3)


def _texts(places: Sequence[_Location]) -> list[str]:
    return [f"{place.lat},{place.lon}" for place in places]


def _error(code: int, words: str) -> Response:
    return JSONResponse({"error_code": code, "error": words, "status_code": 400, "status": "Bad Request"}, status_code=400)


def _refused(code: int) -> Refused:
    return Refused(_error(code, _WORDS[code]))


def _refusal(code: int) -> Refusal:
    return lambda _: _error(code, _WORDS[code])
