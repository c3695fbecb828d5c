"""Who says where an address lies, and what is said alike by all who do."""

from __future__ import annotations

from typing import Protocol

from backhaul.core.errors import Misconfigured, Unplaceable
from backhaul.core.outbound import Limits
from backhaul.outside.maps import Address, Found


class Geocoder(Protocol):
    """Whatever it raises is an OutsideProblem."""

    service: str

    async def locate(self, address: Address) -> Found:
        """Raises: Unplaceable when the address is empty or unknown."""
        ...

    async def aclose(self) -> None: ...


class NoGeocoder:
    """Stands where none is set. It tells the limits too, as a service that refuses us does, so that one setting is one notice."""

    service = "Geocoder"

    def __init__(self, todo: str, *, limits: Limits) -> None:
        """todo: which setting is missing."""
        self._todo = todo
        self._limits = limits

    async def locate(self, address: Address) -> Found:
        """Raises: Misconfigured."""
        await self._limits.take("maps", 0)
        problem = Misconfigured(
            self.service,
            "No address can be placed on the map: no geocoder is set",
            "Routing servers measure drives, but know no addresses",
            self._todo,
            code="maps.no_geocoder",
        )
        await self._limits.refused("maps", problem)
        raise problem

    async def aclose(self) -> None:
        """Nothing is open."""


def no_address(service: str) -> Unplaceable:
    return Unplaceable(
        service,
        "There is no address to look up",
        "Street, city and postal code are empty",
        "Fill in the address and save; the drive times are then calculated again",
        code="maps.no_address",
    )


def unknown_address(service: str) -> Unplaceable:
    return Unplaceable(
        service,
        f"{service} does not know this address",
        "Street, city or postal code may be misspelt",
        "Correct the address and save; the drive times are then calculated again",
        code="maps.not_found",
    )
