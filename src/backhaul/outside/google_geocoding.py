"""Google's Geocoding API: where an address lies.

Each address is asked for once and its coordinates kept: they cost no second lookup, and one misspelt address cannot
spoil a matrix. Only the bare address goes out, never whose it is. Source: Geocoding API reference (v3 style).
"""

from __future__ import annotations

from typing import Literal

import httpx
from pydantic import BaseModel, Field, TypeAdapter

from backhaul.core.outbound import Limits
from backhaul.outside import google
from backhaul.outside.geocoder import no_address, unknown_address
from backhaul.outside.maps import Address, Found, Point

PATH = "/maps/api/geocode/json"
EXACT = ("ROOFTOP", "RANGE_INTERPOLATED")


class GoogleGeocoding:
    service = google.SERVICE

    def __init__(
        self, key: str, *, limits: Limits, base_url: str = google.MAPS_URL, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._key = key.strip()
        self._outbound = google.line(base_url, self._key, limits, transport)

    async def locate(self, address: Address) -> Found:
        """The first and best result. Exact means a house, found or interpolated, and every word of the address matched.

        Raises: Unplaceable when the address is empty or unknown; RateLimited, Transient, Misconfigured, Malformed.
        """
        if not address.text:
            raise no_address(self.service)
        params = {"address": address.text, "components": f"country:{address.country}", "key": self._key}
        answer = await self._outbound.send("GET", PATH, repeatable=True, params=params, explain=google.explain)
        reply = self._outbound.read(answer, _REPLY)
        if not reply.results:
            raise unknown_address(self.service)
        best = reply.results[0]
        exact = best.geometry.location_type in EXACT and not best.partial_match
        return Found(
            point=Point(latitude=best.geometry.location.lat, longitude=best.geometry.location.lng),
            precision="exact" if exact else "approximate",
            formatted=best.formatted_address,
            place_id=best.place_id,
        )

    async def aclose(self) -> None:
        await self._outbound.aclose()


class _Location(BaseModel):
    lat: float = Field(ge=-90, le=90)
    lng: float = Field(ge=-180, le=180)


class _Geometry(BaseModel):
    location: _Location
    location_type: str = ""


class _Result(BaseModel):
    geometry: _Geometry
    formatted_address: str = ""
    place_id: str | None = None
    partial_match: bool = False


class _Reply(BaseModel):
    status: Literal["OK", "ZERO_RESULTS"]  # every other word has been explained before
    results: list[_Result] = []


_REPLY = TypeAdapter(_Reply)
