"""A trip's life at the stand-in for Google Calendar, by the real adapter, with answers that are lost on the way."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from backhaul.core.testing import TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api
from tests.appointment_desk import done, saved
from tests.far_google import FarGoogle
from tests.trips import Trips


class Lost:
    """The answers to calls of one method are lost, the first time each."""

    def __init__(self, method: str) -> None:
        self.method = method

    def __call__(self, request: httpx.Request) -> None:
        if request.method == self.method and request.url.path != "/token":
            self.method = ""
            raise httpx.ReadError("the connection ended", request=request)


@pytest.fixture
async def far(office: TestOffice[Office], own_trips: Trips, google: FarGoogle) -> TestOffice[Office]:
    """The same office with Google's stand-in; Ana and Ben have calendars there."""
    for name in ("Ana", "Ben"):
        kept = await google.calendar.put_calendar(f"driver:{own_trips.drivers[name]}", name)
        own_trips.database.all(
            "update drivers set google_calendar_id = %s where id = %s", kept.calendar_id, own_trips.drivers[name]
        )
    google.requests.clear()
    office.outside = replace(office.outside, calendars=google.calendar)
    office.worker = office.new_worker()
    return office


async def through(office: TestOffice[Office], google: FarGoogle, loses: str) -> None:
    """Works until all is done, though one answer is lost."""
    google.after = Lost(loses)
    await office.work()
    google.after = lambda _: None
    await office.work(after_s=120)
    await done(office)


async def test_a_trip_is_in_one_calendar_once_from_its_booking_to_its_end(
    api: Api, own_trips: Trips, far: TestOffice[Office], google: FarGoogle
) -> None:
    names = {str(ident): name for name, ident in own_trips.drivers.items()}

    def there() -> list[tuple[str, str, str]]:
        """Driver, title and status of every event that is not deleted."""
        whose = [(names[event["extendedProperties"]["private"]["driver"]], event) for event in google.events]
        return [(name, event["summary"], event["status"]) for name, event in whose]

    async def ask(verb: str, **given: object) -> None:
        answer = await api.post(f"/webhook/{verb}", {"id": str(trip), **given}, by=own_trips.people["admin"])
        assert answer.status_code == 200, answer.text

    trip = await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]))
    await through(far, google, "POST")
    assert there() == [("Ana", "Transport: Jane Roe to QEII", "confirmed")]
    await ask("update-driver-assignment", driver_assigned=str(own_trips.drivers["Ben"]))
    await through(far, google, "DELETE")
    assert there() == [("Ben", "Transport: Jane Roe to QEII", "confirmed")]
    await ask("update-driver-assignment", driver_assigned=str(own_trips.drivers["Ana"]))
    await through(far, google, "POST")
    assert there() == [("Ana", "Transport: Jane Roe to QEII", "confirmed")]
    await ask("cancel-appointment", cancellation_reason="Snow")
    await through(far, google, "PATCH")
    assert there() == [("Ana", "CANCELLED - Transport: Jane Roe to QEII", "tentative")]
    await ask("delete-appointment")
    await through(far, google, "DELETE")
    assert there() == []
