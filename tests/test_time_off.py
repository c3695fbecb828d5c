"""create-, update- and delete-driver-time-off: what supervisors, drivers and the board may rely on."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api_fixtures import Api, refused
from tests.appointment_desk import waiting
from tests.trips import Trips


async def ask(api: Api, own: Trips, verb: str, *, by: str = "supervisor", **given: Any) -> httpx.Response:
    return await api.post(f"/webhook/{verb}-driver-time-off", given, by=own.people[by])


def off(own: Trips, name: str = "Ana", **changed: Any) -> dict[str, Any]:
    return {
        "driver_id": str(own.drivers[name]),
        "start_date": "2026-12-01",
        "end_date": "2026-12-02",
        "reason": "Surgery",
    } | changed


async def test_it_is_entered_changed_and_removed_and_the_log_says_when_but_not_why(api: Api, own_trips: Trips) -> None:
    made = (await ask(api, own_trips, "create", **off(own_trips))).json()
    entry = made["data"]["time_off"]
    assert made["message"] == "Time off of Ana Driver is saved."
    assert (made["driver_id"], entry["all_day"], entry["reason"]) == (str(own_trips.drivers["Ana"]), True, "Surgery")
    changed = (await ask(api, own_trips, "update", **off(own_trips, id=entry["id"], end_date="2026-12-03"))).json()
    assert changed["message"] == "Time off of Ana Driver is changed."
    same = (await ask(api, own_trips, "update", **off(own_trips, id=entry["id"], end_date="2026-12-03"))).json()
    assert same["message"] == "Nothing to save: time off is as before."
    gone = (await ask(api, own_trips, "delete", id=entry["id"])).json()
    assert gone["message"] == "Time off of Ana Driver is removed."
    assert own_trips.database.value("select count(*) from driver_time_off") == 0
    log = own_trips.database.all("select action, entity_type, entity_id, details from audit_logs order by created_at, action")
    assert {row["action"]: row["details"].get("fields_updated") for row in log} == {
        "create_time_off": None,
        "update_time_off": ["end_date"],
        "delete_time_off": None,
    }
    assert {(row["entity_type"], row["entity_id"]) for row in log} == {("driver", own_trips.drivers["Ana"])}
    assert "Surgery" not in str(log)
    assert waiting(own_trips.database) == []


async def test_trips_that_collide_stay_and_are_named(api: Api, own_trips: Trips) -> None:
    trip = own_trips.trip(driver="Ana")
    own_trips.trip("2026-12-04 09:00", driver="Ana")
    free = (await ask(api, own_trips, "create", **off(own_trips, start_date="2026-12-02"))).json()
    assert free["warnings"] == free["trips"] == []
    entry = free["data"]["time_off"]["id"]
    for said in (
        await ask(api, own_trips, "create", **off(own_trips)),
        await ask(api, own_trips, "update", **off(own_trips, id=entry)),
    ):
        warning = "Ana has then 1 trip to be given to somebody else: Jane Roe (K1234567), 1 Dec 9:00."
        assert said.json()["warnings"] == [warning]
        assert said.json()["message"].endswith(warning)
        assert [one["id"] for one in said.json()["trips"]] == [str(trip)]
    assert own_trips.row(trip)["driver_assigned"] == own_trips.drivers["Ana"]


async def test_extra_time_collides_with_nothing(api: Api, own_trips: Trips) -> None:
    own_trips.trip(driver="Ana")
    given = off(own_trips, entry_type="override_available", start_time="06:00", end_time="20:00")
    said = (await ask(api, own_trips, "create", **given)).json()
    assert (said["message"], said["warnings"]) == ("Extra time of Ana Driver is saved.", [])


async def test_drivers_look_after_their_own_and_are_told_of_their_trips(api: Api, own_trips: Trips) -> None:
    own_trips.trip(driver="Ana")
    said = (await ask(api, own_trips, "create", by="driver", **off(own_trips))).json()
    assert [trip["label"] for trip in said["trips"]] == ["Jane Roe, 1 Dec 9:00"]  # the K number is the office's
    assert "K1234567" not in str(said)
    entry = own_trips.database.one("select id, created_by from driver_time_off")
    assert entry["created_by"] == own_trips.people["driver"].id
    refused(await ask(api, own_trips, "create", by="driver", **off(own_trips, "Ben")), 404, "driver.unknown")
    bens = (await ask(api, own_trips, "create", **off(own_trips, "Ben"))).json()["data"]["time_off"]
    refused(await ask(api, own_trips, "update", by="driver", **off(own_trips, "Ben", id=bens["id"])), 404)
    refused(await ask(api, own_trips, "delete", by="driver", id=bens["id"]), 404)
    for role in ("booking_agent", "client"):
        refused(await ask(api, own_trips, "create", by=role, **off(own_trips)), 403)
    assert (await ask(api, own_trips, "delete", by="driver", id=str(entry["id"]))).status_code == 200


async def test_what_a_change_leaves_out_stays(api: Api, own_trips: Trips) -> None:
    given = off(own_trips, entry_type="override_available", start_time="09:00", end_time="12:00")
    entry = (await ask(api, own_trips, "create", **given)).json()["data"]["time_off"]["id"]
    changed = (await ask(api, own_trips, "update", id=entry, start_date="2026-12-03", end_date="2026-12-03")).json()
    kept = changed["data"]["time_off"]
    assert (kept["entry_type"], kept["all_day"], kept["reason"]) == ("override_available", False, "Surgery")
    assert (kept["start_time"], kept["end_time"]) == ("09:00:00", "12:00:00")


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [("2027-03-14", "02:30", "03:15"), ("2027-03-14", "02:30", "02:45"), ("2027-11-07", "01:15", "01:45")],
)
async def test_a_time_that_the_clocks_skip_or_repeat_is_refused_in_words(
    api: Api, own_trips: Trips, day: str, start: str, end: str
) -> None:
    given = off(own_trips, start_date=day, end_date=day, start_time=start, end_time=end)
    assert "the hour in which the clocks change" in refused(await ask(api, own_trips, "create", **given), 400)["message"]
    assert own_trips.database.value("select count(*) from driver_time_off") == 0


async def test_every_fault_is_told_at_its_field_and_what_is_gone_is_said(api: Api, own_trips: Trips) -> None:
    said = refused(await ask(api, own_trips, "create", driver_id="x", start_date="tomorrow", all_day=False), 400, "validation")
    assert said["fields"].keys() == {"driver_id", "start_date", "end_date", "start_time", "end_time"}
    refused(await ask(api, own_trips, "create", **off(own_trips, end_date="2026-11-30")), 400)
    refused(await ask(api, own_trips, "update", **off(own_trips, id=str(uuid4()))), 404, "time_off.unknown")
    refused(await ask(api, own_trips, "delete", id=str(uuid4())), 404, "time_off.unknown")


async def test_the_same_click_enters_it_once(api: Api, own_trips: Trips) -> None:
    for _ in range(2):
        answer = await api.post("/webhook/create-driver-time-off", off(own_trips), by=own_trips.people["supervisor"], key="click")
        assert answer.status_code == 200
    assert own_trips.database.value("select count(*) from driver_time_off") == 1
