"""Drive times from real geography, by a model that anybody can check with a pocket calculator.

    distance   great circle × a road factor, 1.20 nearby rising to 1.35 from 200 km on (bays have to be driven round)
    time       the first 5 km at 40 km/h (streets), the next 20 km at 80 km/h (rural roads), the rest at 103 km/h (highways)
    traffic    +15 % on weekdays 7–9 and 15–18 o'clock Halifax time, for whoever asks with traffic

It knows roads only by this formula and water not at all: two places on opposite shores of the Minas Basin look closer than they
are, and ferries cost nothing extra. Islands without a road or car ferry are the exception: nothing leads to or from them.
Places are centres rounded to about a kilometre (places.csv); a postal prefix is given only where it is certain.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

MODEL = "great circle x 1.20-1.35; 40 km/h for 5 km, 80 km/h for 20 km, then 103 km/h; not a real map"

_EARTH_M = 6_371_000.0
_STAGES = ((5_000.0, 40.0), (20_000.0, 80.0), (math.inf, 103.0))
_ISLAND_M = 3_000.0
_ROADS_REACH_M = 25_000.0
_HALIFAX = ZoneInfo("America/Halifax")


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees, north and east positive."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Place:
    """A community. `road` False: an island without a road or car ferry."""

    name: str
    province: str
    centre: Point
    fsa: str
    road: bool


@dataclass(frozen=True, slots=True)
class Leg:
    metres: int
    seconds: int


def drive(start: Point, end: Point) -> Leg | None:
    """The way by road, without traffic; None where no road leads."""
    if _island(start) != _island(end):
        return None
    straight = great_circle_m(start, end)
    metres = straight * (1.20 + 0.15 * min(1.0, straight / 200_000))
    seconds, left = 0.0, metres
    for stage, km_per_hour in _STAGES:
        driven = min(left, stage)
        seconds += driven / (km_per_hour / 3.6)
        left -= driven
    return Leg(round(metres), round(seconds))


def nearest_road(point: Point) -> tuple[Point, float]:
    """Where it is, and how many metres away: right there within 25 km of a community, else at the nearest community's centre."""
    nearest = min((place.centre for place in places()), key=lambda centre: great_circle_m(point, centre))
    metres = great_circle_m(point, nearest)
    return (point, 0.0) if metres <= _ROADS_REACH_M else (nearest, metres)


def in_traffic(seconds: int, departure: datetime) -> int:
    local = departure.astimezone(_HALIFAX)
    busy = local.weekday() < 5 and (7 <= local.hour < 9 or 15 <= local.hour < 18)
    return round(seconds * 1.15) if busy else seconds


def great_circle_m(start: Point, end: Point) -> float:
    north_1, north_2 = math.radians(start.latitude), math.radians(end.latitude)
    half_north = (north_2 - north_1) / 2
    half_east = math.radians(end.longitude - start.longitude) / 2
    haversine = math.sin(half_north) ** 2 + math.cos(north_1) * math.cos(north_2) * math.sin(half_east) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(min(1.0, haversine)))


def moved(centre: Point, metres: float, bearing: float) -> Point:
    """A point some metres away; `bearing` in radians, clockwise from north."""
    north = metres * math.cos(bearing) / _EARTH_M
    east = metres * math.sin(bearing) / (_EARTH_M * math.cos(math.radians(centre.latitude)))
    return Point(round(centre.latitude + math.degrees(north), 6), round(centre.longitude + math.degrees(east), 6))


@cache
def places() -> tuple[Place, ...]:
    with files("backhaul.sandbox").joinpath("places.csv").open(encoding="utf-8") as table:
        return tuple(
            Place(
                row["name"],
                row["province"],
                Point(float(row["latitude"]), float(row["longitude"])),
                row["fsa"],
                row["road"] == "yes",
            )
            for row in csv.DictReader(table)
        )


def _island(point: Point) -> str | None:
    return next((place.name for place in _islands() if great_circle_m(place.centre, point) <= _ISLAND_M), None)


@cache
def _islands() -> tuple[Place, ...]:
    return tuple(place for place in places() if not place.road)
