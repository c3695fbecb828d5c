"""OSRM's table service: longitude first, null where no way leads, and every place moved to the nearest road however far that is.

Source: external service notes 8, and osrm-routed 26.10 as it answered. It gives no hints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response

from backhaul.sandbox.door import PROXY_REFUSALS
from backhaul.sandbox.geography import MODEL, Leg, Point, drive, nearest_road
from backhaul.sandbox.vendor import Ask, Call, Refusal, Refused

_MAX_TABLE_SIZE = 100
_LON_LAT = re.compile(r"(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)")
_OPTIONS = {"sources", "destinations", "annotations", "generate_hints"}


class Osrm:
    service = "maps"
    label = "OSRM"

    def calls(self) -> Sequence[Call]:
        return [Call("GET", "/table/v1/{profile}/{coordinates}", self._table)]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return {
            **PROXY_REFUSALS,
            "TooBig": lambda _: _error("TooBig", "Too many table coordinates"),
            "NoSegment": lambda _: _error("NoSegment", "Could not find a matching segment for coordinate 0"),
        }

    def _table(self, ask: Ask) -> Response:
        points = _points(ask.params["coordinates"])
        if not ask.query.keys() <= _OPTIONS:
            raise Refused(_error("InvalidQuery", "Query string malformed"))
        wanted = ask.query.get("annotations", "duration").split(",")
        if not {"duration", "distance"}.issuperset(wanted):
            raise Refused(_error("InvalidQuery", "Query string malformed"))
        starts, ends = (_chosen(ask.query.get(side, "all"), points) for side in ("sources", "destinations"))
        ask.notes.update(
            origins=[f"{one.latitude},{one.longitude}" for one in starts],
            destinations=[f"{one.latitude},{one.longitude}" for one in ends],
            elements=len(starts) * len(ends),
        )
        if len(starts) * len(ends) > _MAX_TABLE_SIZE**2:
            raise Refused(_error("TooBig", "Too many table coordinates"))
        on_road = {point: nearest_road(point) for point in points}
        legs = [[None if ask.mood == "zero" else drive(on_road[start][0], on_road[end][0]) for end in ends] for start in starts]
        answer: dict[str, object] = {"code": "Ok"}
        if "duration" in wanted:
            answer["durations"] = _rows(legs, "seconds")
        if "distance" in wanted:
            answer["distances"] = _rows(legs, "metres")
        answer["sources"] = [_waypoint(*on_road[point]) for point in starts]
        answer["destinations"] = [_waypoint(*on_road[point]) for point in ends]
        return JSONResponse(answer, headers={"X-Stand-In-Model": MODEL})


def _points(text: str) -> list[Point]:
    matches = [_LON_LAT.fullmatch(part) for part in text.split(";")]
    points = [Point(float(match[2]), float(match[1])) for match in matches if match]
    if len(points) < len(matches):
        raise Refused(_error("InvalidQuery", "Query string malformed"))
    if any(abs(point.latitude) > 90 or abs(point.longitude) > 180 for point in points):
        raise Refused(_error("InvalidOptions", "Coordinates are invalid"))
    if len(points) < 2:
        raise Refused(_error("InvalidOptions", "Number of coordinates needs to be at least two."))
    return points


def _chosen(text: str, points: Sequence[Point]) -> list[Point]:
    if text == "all":
        return list(points)
    if not re.fullmatch(r"\d{1,6}(;\d{1,6})*", text):
        raise Refused(_error("InvalidQuery", "Query string malformed"))
    indexes = [int(index) for index in text.split(";")]
    if max(indexes) >= len(points):
        raise Refused(_error("InvalidOptions", ""))
    return [points[index] for index in indexes]


def _rows(legs: Sequence[Sequence[Leg | None]], field: str) -> list[list[float | None]]:
    return [[getattr(leg, field) if leg else None for leg in row] for row in legs]


def _waypoint(point: Point, metres: float) -> dict[str, object]:
    return {"distance": round(metres, 8), "name": "", "location": [point.longitude, point.latitude]}


def _error(code: str, message: str) -> Response:
    return JSONResponse({"message": message, "code": code}, status_code=400)
