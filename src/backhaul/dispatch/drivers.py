"""Drivers: where they start from."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from backhaul.core.queries import Queries
from backhaul.core.store import Db
from backhaul.outside.maps import Address, Found, Point

_sql = Queries("drivers")


@dataclass(frozen=True, slots=True)
class Driver:
    """An active driver with a home address."""

    id: UUID
    name: str
    home_address: str
    home_city: str | None
    home_province: str | None
    home_postal_code: str | None
    home_latitude: float | None
    home_longitude: float | None

    @property
    def address(self) -> Address:
        return Address(
            line=self.home_address,
            city=self.home_city or "",
            province=self.home_province or "",
            postal_code=self.home_postal_code or "",
        )

    @property
    def home(self) -> Point | None:
        if self.home_latitude is None or self.home_longitude is None:
            return None
        return Point(latitude=self.home_latitude, longitude=self.home_longitude)


async def with_homes(db: Db) -> list[Driver]:
    """All active drivers with a home address, by name."""
    return await db.all(_sql.with_homes, into=Driver)


async def put_home(db: Db, driver: Driver, found: Found) -> None:
    """Keeps where the home lies; not if the address has changed since it was asked about."""
    await db.run(
        _sql.put_home,
        {
            "id": driver.id,
            "latitude": found.point.latitude,
            "longitude": found.point.longitude,
            "line": driver.home_address,
            "city": driver.home_city or "",
        },
    )
