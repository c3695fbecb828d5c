"""Who says where an address lies, and what is said alike by all who do."""

from __future__ import annotations

from typing import Protocol

from backhaul.core.errors import Unplaceable
from backhaul.outside.maps import Address, Found


class Geocoder(Protocol):
    """Whatever it raises is an OutsideProblem."""

    service: str

    async def locate(self, address: Address) -> Found:
        """Raises: Unplaceable when the address is empty or unknown."""
        ...

    async def aclose(self) -> None: ...


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
