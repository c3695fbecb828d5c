"""Where an address is, as far as a list of communities can tell: the town decides, the street moves the point a little.

"12 Main St, Truro, NS"       ROOFTOP, up to 1.5 km from the centre, always the same point for the same line
"4012 Highway 7, Tangier"     RANGE_INTERPOLATED: numbers along a highway are estimated
"Main St, Truro"              GEOMETRIC_CENTER, a partial match: no house number
"Truro, NS"                   APPROXIMATE, a partial match: a town is no address
"12 Main St, Nowhere Corner"  not found
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal

from backhaul.sandbox.geography import Place, Point, moved, places

LocationType = Literal["ROOFTOP", "RANGE_INTERPOLATED", "GEOMETRIC_CENTER", "APPROXIMATE"]

_PROVINCES = {
    "ns": "NS", "nova scotia": "NS", "nb": "NB", "new brunswick": "NB", "pe": "PE", "pei": "PE", "prince edward island": "PE",
    "nl": "NL", "newfoundland": "NL", "newfoundland and labrador": "NL",
}  # fmt: skip
_ELSEWHERE = {"ab", "bc", "mb", "nt", "nu", "on", "ontario", "qc", "quebec", "sk", "yt", "usa", "united states", "maine"}
_POSTAL_CODE = re.compile(r"\b([ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z])[ -]?(\d[ABCEGHJ-NPRSTV-Z]\d)\b", re.IGNORECASE)
_HOUSE_NUMBER = re.compile(r"^(?:(?:unit|apt|suite)\s+\w+\s+|#?\w+\s*-\s*)?\d+\w?\s+\S")
_HIGHWAY = re.compile(r"\b(highway|hwy|route|rte|trunk)\b")
_STREETS_REACH_M = 1_500.0
_PLACE_ID = re.compile(r"stand-in_(-?\d+\.\d{5})_(-?\d+\.\d{5})")


@dataclass(frozen=True, slots=True)
class Found:
    point: Point
    formatted: str
    location_type: LocationType
    partial: bool
    kind: Literal["street_address", "route", "locality"]

    @property
    def place_id(self) -> str:
        """Can be asked back with `by_place_id`, so nothing has to be remembered."""
        return f"stand-in_{self.point.latitude:.5f}_{self.point.longitude:.5f}"


def find(address: str) -> Found | None:
    """The place an address names; None when its town is unknown or outside Atlantic Canada."""
    fsa, postal_code, parts = _taken_apart(address)
    province, parts = _province_of(parts)
    if province == "":
        return None
    named = _town_of(parts, province, fsa)
    if named is None:
        return None
    place, street = named
    tail = f"{place.name}, {place.province}{f' {postal_code}' if postal_code else ''}, Canada"
    if not street:
        return Found(place.centre, tail, "APPROXIMATE", True, "locality")
    point, formatted = _along(place, street), f"{_title(street)}, {tail}"
    if not _HOUSE_NUMBER.match(street):
        return Found(point, formatted, "GEOMETRIC_CENTER", True, "route")
    exactness: LocationType = "RANGE_INTERPOLATED" if _HIGHWAY.search(street) else "ROOFTOP"
    return Found(point, formatted, exactness, False, "street_address")


def by_place_id(place_id: str) -> Point | None:
    match = _PLACE_ID.fullmatch(place_id)
    return Point(float(match[1]), float(match[2])) if match else None


def _taken_apart(address: str) -> tuple[str, str, list[str]]:
    code = _POSTAL_CODE.search(address)
    fsa = code[1].upper() if code else ""
    postal_code = f"{fsa} {code[2].upper()}" if code else ""
    parts = [_plain(part) for part in _POSTAL_CODE.sub(" ", address).split(",")]
    return fsa, postal_code, [part for part in parts if part and part != "canada"]


def _province_of(parts: list[str]) -> tuple[str | None, list[str]]:
    """The province named last and the parts without it; "" means one where the stand-in knows nothing."""
    if not parts:
        return None, parts
    words = parts[-1].removesuffix(" canada").split()
    for length in (3, 2, 1):
        name = " ".join(words[-length:])
        if name in _ELSEWHERE:
            return "", parts
        if name in _PROVINCES and len(words) >= length:
            rest = " ".join(words[:-length])
            return _PROVINCES[name], [*parts[:-1], *([rest] if rest else [])]
    return None, parts


def _town_of(parts: list[str], province: str | None, fsa: str) -> tuple[Place, str] | None:
    """The place and what stands before it. A part of its own decides; else the longest known name at the end of the last part."""
    for index in range(len(parts) - 1, -1, -1):
        if place := _known(parts[index], province, fsa):
            return place, " ".join(parts[:index])
    words = parts[-1].split() if parts else []
    for start in range(1, len(words)):
        if place := _known(" ".join(words[start:]), province, fsa):
            return place, " ".join([*parts[:-1], *words[:start]])
    return None


def _known(name: str, province: str | None, fsa: str) -> Place | None:
    """Two places may share a name (Lawrencetown): the postal code decides, else the one listed first."""
    namesakes = [place for place in _by_name().get(name.replace("-", " "), []) if province in (None, place.province)]
    return next((place for place in namesakes if fsa and place.fsa == fsa), namesakes[0] if namesakes else None)


@cache
def _by_name() -> dict[str, list[Place]]:
    names: dict[str, list[Place]] = {}
    for place in places():
        names.setdefault(_plain(place.name).replace("-", " "), []).append(place)
    return names


def _along(place: Place, street: str) -> Point:
    digest = hashlib.sha256(f"{place.name}|{street}".encode()).digest()
    far, turn = int.from_bytes(digest[:4]) / 2**32, int.from_bytes(digest[4:8]) / 2**32
    return moved(place.centre, math.sqrt(far) * _STREETS_REACH_M, turn * math.tau)


def _plain(text: str) -> str:
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    words = re.sub(r"[^a-z0-9#-]+", " ", bare.lower().replace("'", "").replace("’", "")).split()
    return " ".join({"saint": "st", "mt": "mount"}.get(word, word) for word in words)


def _title(street: str) -> str:
    return " ".join(word.capitalize() for word in street.split())
