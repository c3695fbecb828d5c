"""Valhalla's time-distance matrix: drive times from a server of one's own.

It refuses a whole matrix for one place that lies apart or has no road near, or for one pair more than 400 km apart; and it leaves
pairs empty that it can drive well enough, where roads are few. Its route service answers for each of those, or says why not.
Source: Valhalla, Time-Distance Matrix and Turn-by-turn API references; valhalla_service 3.9.1 as it answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter

from backhaul.core.answer import Answer
from backhaul.core.errors import OutsideProblem, Unplaceable
from backhaul.outside.maps import Leg, Point, whole_minutes
from backhaul.outside.self_hosted import NEAR_M, SelfHosted

MATRIX = "/sources_to_targets"
ROUTE = "/route"
_HOW = {"costing": "auto", "units": "kilometers"}


class Valhalla(SelfHosted):
    service = "Valhalla"
    said = "error"
    places_a_call = 50  # of 2,500 pairs that it takes: each may have to be asked for by itself

    async def _table(self, origins: Sequence[Point], destinations: Sequence[Point]) -> list[list[Leg | None]]:
        """Source: sources_to_targets[i][j].time in seconds, .distance in the unit asked for; null where it found no way."""
        body = {
            "sources": [_location(point) for point in origins],
            "targets": [_location(point) for point in destinations],
            "verbose": True,  # the only form that its older versions know
            **_HOW,
        }
        units = len(origins) * len(destinations)
        answer = await self._outbound.send("POST", MATRIX, repeatable=True, units=units, json=body, explain=self._explain)
        rows = self._outbound.read(answer, _MATRIX).sources_to_targets
        self._expect(len(origins), len(destinations), rows)
        return [[None if one.time is None else _leg(one.time, one.distance) for one in row] for row in rows]

    async def _alone(self, origin: Point, destination: Point) -> Leg:
        """Source: trip.summary.time in seconds, trip.summary.length in the unit asked for."""
        body = {"locations": [_location(origin), _location(destination)], "directions_type": "none", **_HOW}
        answer = await self._outbound.send("POST", ROUTE, repeatable=True, json=body, explain=self._explain)
        summary = self._outbound.read(answer, _ROUTE).trip.summary
        return _leg(summary.time, summary.length)

    def _in_its_words(self, answer: Answer) -> OutsideProblem | None:
        """Source: Valhalla, HTTP status codes and conditions: under 400, `error_code` says why."""
        body = answer.json()
        match body.get("error_code") if isinstance(body, dict) else None:
            case None:
                return None
            case 150:
                return self._too_big("service_limits.auto.max_matrix_location_pairs 2500")
            case 154:
                return self._too_far()
            case 170 | 442:
                return self._no_road()
            case 171:
                return self._no_road_near()
            case code:
                return self._bad_request(answer, code)

    def _too_far(self) -> Unplaceable:
        return Unplaceable(
            self.service,
            "This drive is too long for Valhalla to measure",
            "One place may be placed wrongly on the map",
            "Check both addresses",
            code="maps.too_far",
        )


_Measure = Annotated[float, Field(ge=0)]


class _Cell(BaseModel):
    time: _Measure | None = None
    distance: _Measure | None = None


class _Matrix(BaseModel):
    sources_to_targets: list[list[_Cell]]


class _Summary(BaseModel):
    time: _Measure
    length: _Measure


class _Trip(BaseModel):
    summary: _Summary


class _Route(BaseModel):
    trip: _Trip


_MATRIX = TypeAdapter(_Matrix)
_ROUTE = TypeAdapter(_Route)


def _location(point: Point) -> dict[str, float]:
    # The cutoff is 35 km unless given: from an island to the mainland.
    return {"lat": point.latitude, "lon": point.longitude, "search_cutoff": NEAR_M}


def _leg(seconds: float, kilometres: float | None) -> Leg:
    return Leg(minutes=whole_minutes(seconds), metres=None if kilometres is None else round(kilometres * 1000))
