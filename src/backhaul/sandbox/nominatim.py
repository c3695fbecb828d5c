"""Nominatim's search: an array of results, coordinates as texts; a house only where the address names one.

Source: external service notes 8; Nominatim API reference, Search and Place Output. It knows free-form questions, in jsonv2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response

from backhaul.sandbox import gazetteer
from backhaul.sandbox.door import PROXY_REFUSALS
from backhaul.sandbox.gazetteer import Found
from backhaul.sandbox.geography import moved
from backhaul.sandbox.vendor import Ask, Call, Refusal, Refused

_KINDS = {"street_address": ("place", "house", 30), "route": ("highway", "residential", 26), "locality": ("place", "town", 18)}
_HOUSE = re.compile(r"(?:(?:unit|apt|suite) \w+ |#?\w+-)?(\d+\w?) ", re.IGNORECASE)
_COPYRIGHT = "Data © OpenStreetMap contributors, ODbL 1.0. https://osm.org/copyright (stand-in)"


class Nominatim:
    service = "maps"
    label = "Nominatim"

    def calls(self) -> Sequence[Call]:
        return [Call("GET", "/search", self._search)]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return PROXY_REFUSALS

    def _search(self, ask: Ask) -> Response:
        if ask.query.get("format", "jsonv2") != "jsonv2":
            raise _refused("Parameter 'format' must be one of: jsonv2 (this stand-in has no other)")
        question = ask.query.get("q")
        if question is None:
            raise _refused("Nothing to search for.")
        ask.notes.update(address=question)
        countries = [country.strip().lower() for country in ask.query.get("countrycodes", "ca").split(",")]
        found = gazetteer.find(question) if "ca" in countries and ask.mood != "zero" else None
        return JSONResponse([_result(found, ask.query.get("addressdetails", "0") != "0")] if found else [])


def _result(found: Found, with_parts: bool) -> dict[str, object]:
    category, kind, rank = _KINDS[found.kind]
    corners = [moved(found.point, 150, bearing) for bearing in (3.9270, 0.7854)]
    result: dict[str, object] = {
        "place_id": 71_130,
        "licence": _COPYRIGHT,
        "lat": f"{found.point.latitude:.7f}",
        "lon": f"{found.point.longitude:.7f}",
        "category": category,
        "type": kind,
        "place_rank": rank,
        "importance": 0.05,
        "addresstype": kind,
        "name": "",
        "display_name": found.formatted,
        "boundingbox": [
            *(f"{corner.latitude:.7f}" for corner in corners),
            *(f"{corner.longitude:.7f}" for corner in corners),
        ],
    }
    if with_parts:
        house = _HOUSE.match(found.formatted) if found.kind == "street_address" else None
        result["address"] = ({"house_number": house[1]} if house else {}) | {"country": "Canada", "country_code": "ca"}
    return result


def _refused(message: str) -> Refused:
    return Refused(JSONResponse({"error": {"code": 400, "message": message}}, status_code=400))
