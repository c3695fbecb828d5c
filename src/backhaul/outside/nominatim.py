"""Nominatim: where an address lies, by a server of one's own over OpenStreetMap.

Only the bare address goes out, never whose it is. The public server may not be used for this: its policy forbids it.
Source: Nominatim API reference, Search and Place Output (jsonv2).
"""

from __future__ import annotations

import re

import httpx
from pydantic import BaseModel, Field, TypeAdapter

from backhaul.core.answer import Answer
from backhaul.core.errors import OutsideProblem
from backhaul.core.outbound import Limits, Outbound
from backhaul.outside.geocoder import no_address, unknown_address
from backhaul.outside.maps import Address, Found, Point
from backhaul.outside.self_hosted import nothing_there

PATH = "/search"


class Nominatim:
    service = "Nominatim"

    def __init__(self, base_url: str, *, limits: Limits, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._outbound = Outbound(self.service, base_url, limits=limits, limiter_key="maps", said=_said, transport=transport)

    async def locate(self, address: Address) -> Found:
        """The best result. Exact means the house with this number, found with its postal code.

        OpenStreetMap lacks many Canadian postal codes, and a query that names one it lacks may find nothing; so it is asked once
        more without. That place is then approximate, since it takes the code to tell apart streets of one name.
        Raises: Unplaceable when the address is empty or unknown; RateLimited, Transient, Misconfigured, Malformed.
        """
        if not address.text:
            raise no_address(self.service)
        best = await self._search(address)
        certain = best is not None
        if best is None and address.postal_code.strip():
            best = await self._search(address.model_copy(update={"postal_code": ""}))
        if best is None:
            raise unknown_address(self.service)
        return Found(
            point=Point(latitude=best.lat, longitude=best.lon),
            precision="exact" if certain and _is_the_house(best, address) else "approximate",
            formatted=best.display_name,
            place_id=None,  # its own numbers do not last
        )

    async def aclose(self) -> None:
        await self._outbound.aclose()

    async def _search(self, address: Address) -> _Result | None:
        params = {
            "q": address.text,
            "countrycodes": address.country.lower(),
            "format": "jsonv2",
            "addressdetails": "1",
            "limit": "1",
        }
        answer = await self._outbound.send("GET", PATH, repeatable=True, params=params, explain=self._explain)
        results = self._outbound.read(answer, _RESULTS)
        return results[0] if results else None

    def _explain(self, answer: Answer) -> OutsideProblem | None:
        return nothing_there(self.service, answer)


class _Parts(BaseModel):
    house_number: str = ""


class _Result(BaseModel):
    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)
    display_name: str = ""
    address: _Parts = _Parts()


_RESULTS = TypeAdapter(list[_Result])


def _is_the_house(result: _Result, address: Address) -> bool:
    # The first number only: "4-12 Main St" is house 12, and a person may say so.
    number = re.search(r"\d+\w*", address.line)
    return number is not None and number[0].lower() == result.address.house_number.strip().lower()


def _said(answer: Answer) -> object:
    """Source: {"error": {"code", "message"}}; plain text where it has no more time for the query, or a fault."""
    body = answer.json()
    error = body.get("error") if isinstance(body, dict) else None
    return error.get("message") if isinstance(error, dict) else None
