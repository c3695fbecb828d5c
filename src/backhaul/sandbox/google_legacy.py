"""Google's two older map APIs, Distance Matrix and Geocoding: GET requests that answer 200 and tell the truth in `status`.

Source: external service notes 2.1 and 2.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from starlette.responses import JSONResponse, Response

from backhaul.sandbox import gazetteer
from backhaul.sandbox.door import proxy_page
from backhaul.sandbox.faults import Fault
from backhaul.sandbox.gazetteer import Found
from backhaul.sandbox.geography import MODEL, Point, drive, in_traffic, moved
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal, Refused

_LONGEST_QUERY = 16_384
_LAT_LNG = re.compile(r"(-?\d{1,3}(?:\.\d+)?),(-?\d{1,3}(?:\.\d+)?)")


class GoogleDistanceMatrix:
    service = "maps"
    label = "Google Distance Matrix (Legacy)"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def calls(self) -> Sequence[Call]:
        return [Call("GET", "/maps/api/distancematrix/json", self._matrix)]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return _refusals({"rows": [], "origin_addresses": [], "destination_addresses": []})

    def _matrix(self, ask: Ask) -> Response:
        _check_key(ask)
        origins, destinations = _places(ask, "origins"), _places(ask, "destinations")
        elements = len(origins) * len(destinations)
        ask.notes.update(origins=origins, destinations=destinations, elements=elements)
        if len(origins) > 25 or len(destinations) > 25:
            raise _refused("MAX_DIMENSIONS_EXCEEDED", "Origins or destinations exceed 25.")
        if elements > 100:
            raise _refused("MAX_ELEMENTS_EXCEEDED", "Origins times destinations exceed 100.")
        departure = self._departure(ask)
        imperial = ask.query.get("units") == "imperial"
        starts, ends = [_located(text) for text in origins], [_located(text) for text in destinations]
        rows = [{"elements": [_element(start, end, departure, imperial, ask.mood) for _, end in ends]} for _, start in starts]
        return JSONResponse(
            {
                "status": "OK",
                "origin_addresses": [address for address, _ in starts],
                "destination_addresses": [address for address, _ in ends],
                "rows": rows,
            },
            headers={"X-Stand-In-Model": MODEL},
        )

    def _departure(self, ask: Ask) -> datetime | None:
        """None: without traffic."""
        if ask.query.get("mode", "driving") not in ("driving", "walking", "bicycling", "transit"):
            raise _refused("INVALID_REQUEST", "Invalid 'mode' parameter.")
        driving = ask.query.get("mode", "driving") == "driving"
        if "arrival_time" in ask.query and driving:
            raise _refused("INVALID_REQUEST", "arrival_time is for transit only.")
        if ask.query.get("traffic_model", "best_guess") not in ("best_guess", "pessimistic", "optimistic"):
            raise _refused("INVALID_REQUEST", "Invalid 'traffic_model' parameter.")
        wish = ask.query.get("departure_time")
        if wish is None or not driving:
            return None
        if wish == "now":
            return self._clock()
        if not wish.isascii() or not wish.isdigit() or len(wish) > 11:
            raise _refused("INVALID_REQUEST", "departure_time must be an integer or 'now'.")
        departure = datetime.fromtimestamp(int(wish), UTC)
        if departure < self._clock() - timedelta(minutes=1):
            raise _refused("INVALID_REQUEST", "departure_time is in the past.")
        return departure


class GoogleGeocoding:
    service = "maps"
    label = "Google Geocoding"

    def calls(self) -> Sequence[Call]:
        return [Call("GET", "/maps/api/geocode/json", self._geocode)]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return _refusals({"results": []})

    def _geocode(self, ask: Ask) -> Response:
        _check_key(ask)
        address = ask.query.get("address", "").strip()
        if not address:
            raise _refused("INVALID_REQUEST", "Missing the 'address' parameter. This stand-in does not look up coordinates.")
        ask.notes.update(address=address)
        found = gazetteer.find(address) if _in_canada(ask.query.get("components", "")) and ask.mood != "zero" else None
        if found is None:
            return JSONResponse({"status": "ZERO_RESULTS", "results": []})
        return JSONResponse({"status": "OK", "results": [_result(found)]})


def _check_key(ask: Ask) -> None:
    if ask.query.get("key", "") in ("", "refused"):
        raise _refused("REQUEST_DENIED", "You must use an API key to authenticate each request to Google Maps Platform APIs.")


def _places(ask: Ask, name: str) -> list[str]:
    texts = [text.strip() for text in ask.query.get(name, "").split("|")]
    if not all(texts):
        raise _refused("INVALID_REQUEST", f"Invalid '{name}' parameter.")
    if len(str(ask.query)) > _LONGEST_QUERY:
        raise _refused("INVALID_REQUEST", f"The URL exceeds {_LONGEST_QUERY} characters.")
    return texts


def _located(text: str) -> tuple[str, Point | None]:
    """What the answer calls the place ("" when nobody knows it), and where it is."""
    if text.startswith("place_id:"):
        point = gazetteer.by_place_id(text.removeprefix("place_id:"))
        return (text if point else ""), point
    if point := _coordinates(text):
        return text, point
    found = gazetteer.find(text)
    return (found.formatted, found.point) if found else ("", None)


def _coordinates(text: str) -> Point | None:
    """None for anything but `lat,lng` without a space: then it is an address."""
    match = _LAT_LNG.fullmatch(text)
    if match is None or abs(float(match[1])) > 90 or abs(float(match[2])) > 180:
        return None
    return Point(float(match[1]), float(match[2]))


def _element(start: Point | None, end: Point | None, departure: datetime | None, imperial: bool, mood: str) -> dict[str, object]:
    if start is None or end is None:
        return {"status": "NOT_FOUND"}
    leg = None if mood == "zero" else drive(start, end)
    if leg is None:
        return {"status": "ZERO_RESULTS"}
    element: dict[str, object] = {
        "status": "OK",
        "distance": {"value": leg.metres, "text": _distance_text(leg.metres, imperial)},
        "duration": {"value": leg.seconds, "text": _duration_text(leg.seconds)},
    }
    if departure:
        seconds = in_traffic(leg.seconds, departure)
        element["duration_in_traffic"] = {"value": seconds, "text": _duration_text(seconds)}
    return element


def _distance_text(metres: int, imperial: bool) -> str:
    if imperial:
        return f"{metres / 1609.344:,.1f} mi"
    return f"{metres / 1000:,.1f} km" if metres >= 100 else f"{metres} m"


def _duration_text(seconds: int) -> str:
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    parts = [(hours, "hour"), (minutes, "min")]
    return " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count)


def _in_canada(components: str) -> bool:
    countries = [part.partition(":")[2].strip().lower() for part in components.split("|") if part.strip().startswith("country:")]
    return all(country in ("ca", "canada") for country in countries)


def _result(found: Found) -> dict[str, object]:
    types = {"street_address": ["street_address"], "route": ["route"], "locality": ["locality", "political"]}[found.kind]
    reach = 5_000 if found.kind == "locality" else 150
    north_east, south_west = moved(found.point, reach, 0.7854), moved(found.point, reach, 3.9270)
    result: dict[str, object] = {
        "formatted_address": found.formatted,
        "place_id": found.place_id,
        "types": types,
        "geometry": {
            "location": _lat_lng(found.point),
            "location_type": found.location_type,
            "viewport": {"northeast": _lat_lng(north_east), "southwest": _lat_lng(south_west)},
        },
    }
    return result | {"partial_match": True} if found.partial else result


def _lat_lng(point: Point) -> dict[str, float]:
    return {"lat": point.latitude, "lng": point.longitude}


def _refused(status: str, message: str) -> Refused:
    return Refused(JSONResponse({"status": status, "error_message": message}))


def _refusals(empty: Mapping[str, object]) -> Mapping[str, Refusal]:
    def says(status: str, message: str, code: int = 200) -> Refusal:
        def refuse(fault: Fault) -> Response:
            headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else None
            return JSONResponse({**empty, "status": status, "error_message": message}, status_code=code, headers=headers)

        return refuse

    denied = says("REQUEST_DENIED", "You're calling a legacy API, which is not enabled for your project.")
    return {
        "401": says("REQUEST_DENIED", "The provided API key is invalid."),
        "402": says("OVER_DAILY_LIMIT", "You must enable Billing on the Google Cloud Project."),
        "403": denied,
        "denied": denied,
        "404": lambda fault: proxy_page(404),
        "429": says("OVER_QUERY_LIMIT", "You have exceeded your rate-limit for this API."),
        "500": says("UNKNOWN_ERROR", "The request could not be processed due to a server error."),
        "503": says("UNKNOWN_ERROR", "The service is unavailable.", 503),
        "504": says("UNKNOWN_ERROR", "The service took too long.", 504),
    }
