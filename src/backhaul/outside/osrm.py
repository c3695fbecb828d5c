"""OSRM's table service: drive times from a server of one's own.

It answers null where no way leads. It moves a place to the nearest road at any distance (175 km, for a point at sea), and says
how far that was. Source: OSRM HTTP API, table service; osrm-routed 26.10 as it answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from backhaul.core.answer import Answer
from backhaul.core.errors import OutsideProblem
from backhaul.outside.maps import NO_ROAD, Leg, Point, whole_minutes
from backhaul.outside.self_hosted import NEAR_M, SelfHosted

PATH = "/table/v1/driving/"


class Osrm(SelfHosted):
    service = "OSRM"
    places_a_call = 99  # its --max-table-size is 100 unless set; the place on the other side is the hundredth

    async def _table(self, origins: Sequence[Point], destinations: Sequence[Point]) -> list[list[Leg | None]]:
        """Source: durations[i][j] in seconds, distances[i][j] in metres; how far a place was moved, sources[i].distance."""
        height, width = len(origins), len(destinations)
        answer = await self._outbound.send(
            "GET",
            PATH,
            unlogged=";".join(map(_lon_lat, (*origins, *destinations))),
            repeatable=True,
            units=height * width,
            params={
                "sources": ";".join(map(str, range(height))),
                "destinations": ";".join(map(str, range(height, height + width))),
                "annotations": "duration,distance",
                "generate_hints": "false",
            },
            explain=self._explain,
        )
        table = self._outbound.read(answer, _TABLE)
        self._expect(height, width, table.durations, table.distances)
        self._expect(1, height, [table.sources])
        self._expect(1, width, [table.destinations])
        return [[self._leg(table, i, j) for j in range(width)] for i in range(height)]

    async def _alone(self, origin: Point, destination: Point) -> Leg:
        ((leg,),) = await self._table([origin], [destination])
        return leg or Leg(error=NO_ROAD)

    def _leg(self, table: _Table, i: int, j: int) -> Leg:
        if table.sources[i].distance > NEAR_M:
            return Leg(error=str(self._no_road_near("the start of this drive")))
        if table.destinations[j].distance > NEAR_M:
            return Leg(error=str(self._no_road_near("the end of this drive")))
        seconds, metres = table.durations[i][j], table.distances[i][j]
        if seconds is None:
            return Leg(error=NO_ROAD)
        return Leg(minutes=whole_minutes(seconds), metres=None if metres is None else round(metres))

    def _in_its_words(self, answer: Answer) -> OutsideProblem | None:
        """Source: OSRM HTTP API, responses: `code` is "Ok", or the HTTP status 400 and `code` says why."""
        body = answer.json()
        match body.get("code") if isinstance(body, dict) else None:
            case None | "Ok":
                return None
            case "NoSegment":  # only of a server with a --default-radius of its own
                return self._no_road_near()
            case "NoTable":
                return self._no_road()
            case "TooBig":
                return self._too_big("--max-table-size 100")
            case code:
                return self._bad_request(answer, code)


_Measure = Annotated[float, Field(ge=0)] | None


class _Waypoint(BaseModel):
    distance: float = Field(default=0, ge=0)


class _Table(BaseModel):
    code: Literal["Ok"]  # every other code has been explained before
    durations: list[list[_Measure]]
    distances: list[list[_Measure]]
    sources: list[_Waypoint]
    destinations: list[_Waypoint]


_TABLE = TypeAdapter(_Table)


def _lon_lat(point: Point) -> str:
    return f"{point.longitude:.6f},{point.latitude:.6f}"
