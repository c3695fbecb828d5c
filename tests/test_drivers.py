"""add-driver, update-driver and the lists of drivers: what the drivers page, Maps and Google Calendar may rely on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from backhaul.core.errors import Misconfigured, RateLimited
from backhaul.core.testing import Database, TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, refused
from tests.appointment_desk import done, events, forget, give_calendar, waiting
from tests.fakes import FakeCalendars, FakeMaps
from tests.far_google import FarGoogle
from tests.trips import NINE, Trips

CALENDAR, TIMES, RENAME = "create_driver_calendar", "calculate_driver_drive_times", "rename_driver_calendar"


def driver(**changed: Any) -> dict[str, Any]:
    """The add-driver form as the page sends it."""
    return {
        "first_name": "Dee", "last_name": "Novo", "email": "Dee@Example.Test", "phone": "902-555-0144", "work_phone": "",
        "gender": "female", "workload_preference": "normal", "preferred_calendar_type": "google", "active": True,
        "home_address": "1 Main St", "home_city": "Truro", "home_province": "NS", "home_postal_code": "b2n5a1", "notes": "",
    } | changed  # fmt: skip


async def add(api: Api, own: Trips, **changed: Any) -> dict[str, Any]:
    answer = await api.post("/webhook/add-driver", driver(**changed), by=own.people["supervisor"])
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def change(api: Api, own: Trips, ident: Any, **fields: Any) -> dict[str, Any]:
    answer = await api.post("/webhook/update-driver", {"id": str(ident), **fields}, by=own.people["supervisor"])
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def times(database: Database, ident: Any) -> dict[str, int | None]:
    rows = database.all(
        "select c.firstname, x.duration_minutes from client_drive_times x join clients c on c.id = x.client_id"
        " where x.driver_id = %s",
        ident,
    )
    return {row["firstname"]: row["duration_minutes"] for row in rows}


def calendar_of(database: Database, ident: Any) -> str | None:
    kept: str | None = database.value("select google_calendar_id from drivers where id = %s", ident)
    return kept


# ── Adding ──


async def test_the_caller_is_answered_before_maps_or_google_is_asked(
    api: Api, own_trips: Trips, maps: FakeMaps, calendars: FakeCalendars
) -> None:
    said = await add(api, own_trips)
    assert (said["success"], said["message"], said["driverName"]) == (True, "Driver added successfully!", "Dee Novo")
    assert said["task_ids"].keys() == {CALENDAR, TIMES}
    assert (maps.located, maps.asked_to, calendars.calls) == ([], [], 0)
    entry = own_trips.database.one("select action, entity_type, entity_id, details from audit_logs")
    assert entry == {
        "action": "create_driver",
        "entity_type": "driver",
        "entity_id": UUID(said["driver_id"]),
        "details": {"driver_name": "Dee Novo"},
    }


@pytest.mark.parametrize(
    ("changed", "tasks"),
    [
        ({"preferred_calendar_type": "outlook"}, {TIMES}),
        ({"home_address": ""}, {CALENDAR}),
        ({"active": False}, set()),
    ],
)
async def test_only_what_is_needed_follows(api: Api, own_trips: Trips, changed: dict[str, Any], tasks: set[str]) -> None:
    assert (await add(api, own_trips, **changed))["task_ids"].keys() == tasks


async def test_every_fault_is_told_at_once_and_a_taken_address_names_its_holder(api: Api, own_trips: Trips) -> None:
    lead = own_trips.people["supervisor"]
    wrong = driver(first_name=" ", email="x", phone="1", weekly_hours={"monday": {"available": True, "start": "9:00"}})
    said = refused(await api.post("/webhook/add-driver", wrong, by=lead), 400, "validation")
    assert said["fields"].keys() == {"first_name", "email", "phone", "weekly_hours"}
    said = refused(await api.post("/webhook/add-driver", driver(email="ANA@x.test"), by=lead), 409, "driver.email_taken")
    assert "Ana Driver" in said["fields"]["email"]
    assert waiting(own_trips.database) == []


async def test_the_same_click_makes_one_driver_by_whichever_name(api: Api, own_trips: Trips) -> None:
    lead = own_trips.people["supervisor"]
    names = ("add-driver", "add-driver-with-calendar", "add-driver-v5")
    answers = [await api.post(f"/webhook/{name}", driver(), by=lead, key="click") for name in names]
    assert len({answer.json()["driver_id"] for answer in answers}) == 1
    assert own_trips.database.value("select count(*) from drivers where last_name = 'Novo'") == 1


# ── The drives ──


async def test_a_driver_is_measured_to_every_active_client_in_few_calls(
    api: Api, office: TestOffice[Office], own_trips: Trips, maps: FakeMaps
) -> None:
    for number, name in enumerate(("Bea", "Cal", "Dot")):
        own_trips.client(f"K000000{number}", name)
    own_trips.database.all("update clients set status = 'inactive' where firstname = 'Dot'")
    said = await add(api, own_trips)
    await done(office)
    assert [len(batch) for batch in maps.asked_to] == [2, 1]
    assert maps.located[0] == "1 Main St, Truro, NS B2N 5A1"
    assert times(own_trips.database, said["driver_id"]).keys() == {"Jane", "Bea", "Cal"}
    assert office.task(TIMES)["result"] == {"drive_times_calculated": 3, "without_answer": 0}


async def test_a_client_nobody_can_place_does_not_fail_the_rest(
    api: Api, office: TestOffice[Office], own_trips: Trips, maps: FakeMaps
) -> None:
    own_trips.client("K0000001", "Bea")
    own_trips.database.all("update clients set city = 'Nowhere' where firstname = 'Bea'")
    maps.unknown = {"Nowhere"}
    said = await add(api, own_trips)
    await done(office)
    assert times(own_trips.database, said["driver_id"]) == {"Jane": 10, "Bea": None}
    assert office.task(TIMES)["result"] == {"drive_times_calculated": 1, "without_answer": 1}
    shown = await api.get("/webhook/get-driver-schedule", by=own_trips.people["supervisor"], driver_id=said["driver_id"])
    (without,) = shown.json()["data"]["unanswered"]
    assert without["client_name"] == "Bea Roe (K0000001)"
    assert without["error"].startswith("The client's own address: Google Maps does not know this address")


async def test_a_pause_in_the_middle_pays_for_no_batch_twice(
    api: Api, office: TestOffice[Office], own_trips: Trips, maps: FakeMaps
) -> None:
    for number, name in enumerate(("Bea", "Cal")):
        own_trips.client(f"K000000{number}", name)
    maps.fails(at=2, error=RateLimited("Google Maps", retry_after=60))
    await add(api, own_trips)
    await office.work()
    await office.work(after_s=60)
    assert [len(batch) for batch in maps.asked_to] == [2, 1, 1]
    assert TIMES in office.tasks("completed")


async def test_an_unknown_home_fails_and_is_mended_by_correcting_it(
    api: Api, office: TestOffice[Office], own_trips: Trips, maps: FakeMaps
) -> None:
    maps.unknown = {"Nowhere"}
    said = await add(api, own_trips, home_city="Nowhere")
    await office.work()
    failed = office.task(TIMES)
    assert (failed["status"], failed["entity_type"], failed["entity_label"]) == ("failed", "driver", "Dee Novo")
    assert failed["error_message"].startswith("Google Maps does not know this address.")
    office.clock.advance(minutes=1)
    await change(api, own_trips, said["driver_id"], home_city="Truro")
    await done(office)
    assert times(own_trips.database, said["driver_id"]) == {"Jane": 10}
    assert (
        own_trips.database.value("select count(*) from background_tasks where status = 'failed' and superseded_by is null") == 0
    )


async def test_what_was_measured_to_an_address_that_somebody_has_left_meanwhile_is_not_kept(
    api: Api, office: TestOffice[Office], own_trips: Trips, maps: FakeMaps
) -> None:
    said = await add(api, own_trips)

    class Moves(FakeMaps):
        async def minutes_to(self, start: Any, ends: Any) -> Any:
            own_trips.database.all("update clients set civicaddress = '9 New St'")
            return await super().minutes_to(start, ends)

    office.outside = replace(office.outside, maps=Moves())
    office.worker = office.new_worker()
    await done(office)
    assert times(own_trips.database, said["driver_id"]) == {}


# ── The calendar ──


async def test_a_calendar_is_made_shared_and_filled_with_the_trips_that_are_booked_already(
    api: Api, office: TestOffice[Office], own_trips: Trips, calendars: FakeCalendars
) -> None:
    said = await add(api, own_trips, preferred_calendar_type="other")
    ident = said["driver_id"]
    own_trips.trip(driver_assigned=ident)
    own_trips.trip("2026-11-20 09:00", driver_assigned=ident)  # is over
    await change(api, own_trips, ident, preferred_calendar_type="google")
    await done(office)
    kept = calendar_of(own_trips.database, ident)
    assert calendars.calendars == {f"driver:{ident}": kept}
    assert calendars.shared == [(kept, "dee@example.test")]
    assert events(calendars) == {kept: ["Transport: Jane Roe to QEII"]}
    entered = own_trips.database.one("select * from background_tasks where task_type = 'put_calendar_event'")
    assert entered["entity_label"] == "Jane Roe (K1234567), 1 Dec 9:00"
    assert entered["created_by"] == own_trips.people["supervisor"].id


@pytest.mark.parametrize("lost", ["calendars", "acl"])
async def test_an_answer_that_is_lost_makes_no_second_calendar(
    api: Api, office: TestOffice[Office], own_trips: Trips, google: FarGoogle, lost: str
) -> None:
    """As when a worker dies between the effect and its record: once, by the real adapter."""
    office.outside = replace(office.outside, calendars=google.calendar)
    office.worker = office.new_worker()
    losses = []

    def lose(request: httpx.Request) -> None:
        if request.method == "POST" and request.url.path.endswith(lost) and not losses:
            losses.append(request)
            raise httpx.ReadError("the connection ended", request=request)

    google.after = lose
    said = await add(api, own_trips, home_address="")
    await office.work()
    assert losses
    await office.work(after_s=120)
    await done(office)
    kept = calendar_of(own_trips.database, said["driver_id"])
    assert kept is not None
    assert [row["id"] for row in google.app.store.find("calendar")] == [kept]
    assert google.readers(kept) == {"dee@example.test": "writer"}


async def test_without_a_key_the_failure_says_what_to_do(api: Api, office: TestOffice[Office], own_trips: Trips) -> None:
    office.outside = replace(office.outside, calendars=None)
    office.worker = office.new_worker()
    await add(api, own_trips, home_address="")
    await office.work()
    failed = office.task(CALENDAR)
    assert (failed["status"], failed["error_code"]) == ("failed", "calendar.off")
    assert "choose another kind of calendar" in failed["error_hint"]


async def test_a_new_address_gets_the_calendar_and_the_old_one_loses_it(
    api: Api, office: TestOffice[Office], own_trips: Trips, google: FarGoogle
) -> None:
    office.outside = replace(office.outside, calendars=google.calendar)
    office.worker = office.new_worker()
    said = await add(api, own_trips, home_address="")
    await done(office)
    kept = calendar_of(own_trips.database, said["driver_id"])
    assert kept is not None
    again = await change(api, own_trips, said["driver_id"], email="dee.novo@example.test")
    assert again["task_ids"].keys() == {CALENDAR, "withdraw_driver_calendar"}
    await done(office)
    assert google.readers(kept) == {"dee.novo@example.test": "writer"}
    assert calendar_of(own_trips.database, said["driver_id"]) == kept


def names(google: FarGoogle) -> list[str]:
    return [str(row["summary"]) for row in google.app.store.find("calendar")]


async def test_a_new_name_is_the_calendars_too_and_nobody_is_told_of_it_again(
    api: Api, office: TestOffice[Office], own_trips: Trips, google: FarGoogle
) -> None:
    office.outside = replace(office.outside, calendars=google.calendar)
    office.worker = office.new_worker()
    ident = (await add(api, own_trips, home_address=""))["driver_id"]
    await done(office)
    assert names(google) == ["Trips of Dee Novo"]
    google.requests.clear()
    assert (await change(api, own_trips, ident, last_name="Roe"))["task_ids"].keys() == {RENAME}
    await done(office)
    assert names(google) == ["Trips of Dee Roe"]
    assert [asked.split()[0] for asked in google.asked] == ["GET", "PATCH"]


@pytest.mark.parametrize(
    ("fields", "tasks"),
    [
        ({"first_name": "Dee", "last_name": "Novo"}, set()),  # as it is
        ({"phone": "902-555-0199"}, set()),
        ({"last_name": "Roe", "preferred_calendar_type": "outlook"}, {"withdraw_driver_calendar"}),
        ({"last_name": "Roe", "active": False}, {"withdraw_driver_calendar"}),
        ({"last_name": "Roe", "email": "roe@example.test"}, {CALENDAR, "withdraw_driver_calendar"}),  # which names it too
    ],
)
async def test_only_a_new_name_of_one_who_has_a_calendar_with_us_renames_it(
    api: Api, office: TestOffice[Office], own_trips: Trips, calendars: FakeCalendars, fields: dict[str, Any], tasks: set[str]
) -> None:
    ident = (await add(api, own_trips, home_address=""))["driver_id"]
    await done(office)
    assert (await change(api, own_trips, ident, **fields)).get("task_ids", {}).keys() == tasks


async def test_a_new_name_waits_for_a_calendar_that_is_still_to_be_made_or_shared_again(
    api: Api, office: TestOffice[Office], own_trips: Trips, google: FarGoogle
) -> None:
    office.outside = replace(office.outside, calendars=google.calendar)
    office.worker = office.new_worker()
    ident = (await add(api, own_trips, home_address=""))["driver_id"]
    google.fails("lost", method="POST", path="/calendar/v3/calendars", times=1)  # it is made, and we do not hear of it
    await office.work()
    assert (names(google), calendar_of(own_trips.database, ident)) == (["Trips of Dee Novo"], None)
    assert (await change(api, own_trips, ident, last_name="Roe"))["task_ids"] == {}
    await office.work(after_s=120)
    await done(office)
    assert names(google) == ["Trips of Dee Roe"]
    await change(api, own_trips, ident, last_name="Doe", active=False)
    await change(api, own_trips, ident, active=True)
    await done(office)
    assert names(google) == ["Trips of Dee Doe"]


async def test_a_name_that_is_corrected_while_the_calendar_is_made_is_given_to_it(
    api: Api, office: TestOffice[Office], own_trips: Trips
) -> None:
    class Corrected(FakeCalendars):
        async def share_calendar(self, calendar_id: str, email: str, *, tell: bool = False, new: bool = False) -> None:
            await super().share_calendar(calendar_id, email, tell=tell, new=new)
            await change(api, own_trips, said["driver_id"], last_name="Roe")

    far = Corrected()
    office.outside = replace(office.outside, calendars=far)
    office.worker = office.new_worker()
    said = await add(api, own_trips, home_address="")
    await done(office)
    assert list(far.names.values()) == ["Trips of Dee Roe"]


async def test_a_calendar_that_cannot_be_renamed_says_so_and_the_driver_keeps_the_new_name(
    api: Api, office: TestOffice[Office], own_trips: Trips, calendars: FakeCalendars
) -> None:
    give_calendar(own_trips, "Ana")
    calendars.lost = {"Ana@cal.test"}
    await change(api, own_trips, own_trips.drivers["Ana"], last_name="Roe")
    await office.work()
    failed = office.task(RENAME)
    assert (failed["status"], failed["error_code"]) == ("failed", "calendar.not_found")
    assert "calendar was not found" in failed["error_message"]
    assert failed["entity_label"] == "Ana Roe"


async def test_a_calendar_that_is_shared_anew_but_cannot_be_renamed_gets_its_trips_all_the_same(
    api: Api, office: TestOffice[Office], own_trips: Trips, calendars: FakeCalendars
) -> None:
    trip = own_trips.trip(driver="Ana")
    own_trips.database.all("update drivers set google_calendar_id = 'old@cal.test' where name = 'Ana Driver'")
    await change(api, own_trips, own_trips.drivers["Ana"], last_name="Roe", email="roe@example.test")
    forbidden = Misconfigured("Google Calendar", "Google Calendar does not let us name it", code="calendar.forbidden")
    calendars.fails(at=2, error=forbidden)  # after it was shared
    await office.work()
    assert office.task(CALENDAR)["error_code"] == "calendar.forbidden"
    (event,) = own_trips.database.all("select entity_id from background_tasks where task_type = 'put_calendar_event'")
    assert event["entity_id"] == trip


async def test_whoever_drives_no_more_reads_the_calendar_no_more_until_they_are_taken_back(
    api: Api, office: TestOffice[Office], own_trips: Trips, google: FarGoogle
) -> None:
    office.outside = replace(office.outside, calendars=google.calendar)
    office.worker = office.new_worker()
    ident = (await add(api, own_trips, home_address=""))["driver_id"]
    await done(office)
    kept = calendar_of(own_trips.database, ident)
    assert kept is not None
    assert (await change(api, own_trips, ident, active=False))["task_ids"].keys() == {"withdraw_driver_calendar"}
    await done(office)
    assert google.readers(kept) == {}
    assert (await change(api, own_trips, ident, active=True))["task_ids"].keys() == {CALENDAR}
    await done(office)
    assert google.readers(kept) == {"dee@example.test": "writer"}


@pytest.mark.parametrize(
    "changes",
    [
        [{"preferred_calendar_type": "outlook", "active": False}],
        [{"preferred_calendar_type": "outlook"}, {"active": False}],
        [{"preferred_calendar_type": "outlook", "email": "dee.novo@example.test"}],
    ],
)
async def test_whoever_leaves_google_reads_the_old_calendar_no_more_whatever_else_changes(
    api: Api, office: TestOffice[Office], own_trips: Trips, google: FarGoogle, changes: list[dict[str, Any]]
) -> None:
    """Trips that were driven stay in it, with where clients live."""
    office.outside = replace(office.outside, calendars=google.calendar)
    office.worker = office.new_worker()
    ident = (await add(api, own_trips, home_address=""))["driver_id"]
    await done(office)
    kept = calendar_of(own_trips.database, ident)
    assert kept is not None
    for one in changes:
        await change(api, own_trips, ident, **one)
    await done(office)
    assert google.readers(kept) == {}


async def test_an_address_that_is_corrected_while_the_calendar_is_shared_with_it_loses_it_again(
    api: Api, office: TestOffice[Office], own_trips: Trips
) -> None:
    class Corrected(FakeCalendars):
        async def share_calendar(self, calendar_id: str, email: str, *, tell: bool = False, new: bool = False) -> None:
            await super().share_calendar(calendar_id, email, tell=tell, new=new)
            if email == "typo@example.test":
                await change(api, own_trips, said["driver_id"], email="dee@example.test")

    far = Corrected()
    office.outside = replace(office.outside, calendars=far)
    office.worker = office.new_worker()
    said = await add(api, own_trips, home_address="", email="typo@example.test")
    await done(office)
    assert far.shared == [(calendar_of(own_trips.database, said["driver_id"]), "dee@example.test")]


async def test_trips_that_a_worker_died_over_are_entered_by_the_next_and_those_that_are_there_are_left_alone(
    api: Api, office: TestOffice[Office], own_trips: Trips, calendars: FakeCalendars
) -> None:
    """As it is found when one dies once the calendar is known, and before the trips are asked for."""
    give_calendar(own_trips, "Ana")
    own_trips.trip(driver="Ana")
    ana, lead = {"id": str(own_trips.drivers["Ana"])}, own_trips.people["supervisor"]
    results = []
    for _ in range(2):
        await api.post("/webhook/make-driver-calendar", ana, by=lead)
        await done(office)
        results += [
            row["result"] for row in own_trips.database.all("select result from background_tasks where task_type = %s", CALENDAR)
        ]
        forget(own_trips.database)
    assert results == [{"created": False, "trips_to_enter": 1}, {"created": False, "trips_to_enter": 0}]
    assert events(calendars) == {"Ana@cal.test": ["Transport: Jane Roe to QEII"]}


async def test_a_calendar_that_is_missing_is_asked_for_and_one_deleted_at_google_is_made_anew(
    api: Api, office: TestOffice[Office], own_trips: Trips, calendars: FakeCalendars
) -> None:
    ana, lead = str(own_trips.drivers["Ana"]), own_trips.people["supervisor"]
    give_calendar(own_trips, "Ana")
    own_trips.trip(driver="Ana")
    calendars.lost = {"Ana@cal.test"}
    said = (await api.post("/webhook/make-driver-calendar", {"id": ana}, by=lead)).json()
    assert said["message"] == "The calendar is made and shared in the background."
    await done(office)
    kept = calendar_of(own_trips.database, ana)
    assert kept == calendars.calendars[f"driver:{ana}"]
    assert events(calendars) == {kept: ["Transport: Jane Roe to QEII"]}
    await api.post("/webhook/make-driver-calendar", {"id": ana}, by=lead)
    await done(office)
    assert calendars.shared == [(kept, "Ana@x.test")] * 2  # shared again, and not made again
    await change(api, own_trips, ana, preferred_calendar_type="apple")
    refused(await api.post("/webhook/make-driver-calendar", {"id": ana}, by=lead), 409, "driver.other_calendar")


async def test_a_driver_who_changes_to_another_calendar_has_no_trips_at_google_any_more(
    api: Api, office: TestOffice[Office], own_trips: Trips, calendars: FakeCalendars
) -> None:
    ana = own_trips.drivers["Ana"]
    give_calendar(own_trips, "Ana")
    trip = own_trips.trip(driver="Ana")
    await api.post("/webhook/update-appointment", {"id": str(trip), "notes": "x"}, by=own_trips.people["supervisor"])
    await done(office)
    assert events(calendars).keys() == {"Ana@cal.test"}
    await change(api, own_trips, ana, preferred_calendar_type="apple")
    assert calendar_of(own_trips.database, ana) is None
    await done(office)
    assert events(calendars) == {}
    back = await change(api, own_trips, ana, preferred_calendar_type="google")
    assert back["task_ids"].keys() == {CALENDAR}
    await done(office)
    assert events(calendars) == {calendar_of(own_trips.database, ana): ["Transport: Jane Roe to QEII"]}


# ── Changing ──


async def test_what_is_left_out_stays_null_takes_away_and_only_names_are_in_the_log(api: Api, own_trips: Trips) -> None:
    said = await add(api, own_trips)
    forget(own_trips.database)
    changed = await change(api, own_trips, said["driver_id"], phone=None, vehicle_description="Grey van")
    assert changed["message"] == "Driver updated successfully!"
    assert changed["task_ids"] == {}
    row = own_trips.database.one("select phone, vehicle_description, email from drivers where id = %s", said["driver_id"])
    assert row == {"phone": None, "vehicle_description": "Grey van", "email": "dee@example.test"}
    details = own_trips.database.value("select details from audit_logs where action = 'update_driver'")
    assert details == {"driver_name": "Dee Novo", "fields_updated": ["phone", "vehicle_description"]}


async def test_what_is_as_before_leaves_no_trace(api: Api, own_trips: Trips) -> None:
    said = await add(api, own_trips)
    forget(own_trips.database)
    same = await change(api, own_trips, said["driver_id"], **driver())
    assert same["message"] == "Nothing to save: Dee Novo is as before."
    assert (same["task_ids"], waiting(own_trips.database)) == ({}, [])
    assert own_trips.database.value("select count(*) from audit_logs where action = 'update_driver'") == 0


async def test_a_move_forgets_the_old_drives_and_measures_anew_and_nothing_else_does(
    api: Api, office: TestOffice[Office], own_trips: Trips
) -> None:
    ident = (await add(api, own_trips, preferred_calendar_type="other"))["driver_id"]
    await done(office)
    for fields in ({"notes": "x"}, {"weekly_hours": {}}, {"active": False}):
        assert (await change(api, own_trips, ident, **fields))["task_ids"] == {}
    assert times(own_trips.database, ident) == {"Jane": 10}
    assert (await change(api, own_trips, ident, active=True))["task_ids"].keys() == {TIMES}
    await done(office)
    moved = await change(api, own_trips, ident, home_address="2 Main St")
    assert (moved["task_ids"].keys(), moved["data"]["addressChanged"]) == ({TIMES}, True)
    assert times(own_trips.database, ident) == {}
    await done(office)
    assert times(own_trips.database, ident) == {"Jane": 10}
    gone = await change(api, own_trips, ident, home_address=None)
    assert (gone["task_ids"], times(own_trips.database, ident)) == ({}, {})


async def test_whoever_drives_no_more_keeps_their_trips_and_the_office_is_told_which(api: Api, own_trips: Trips) -> None:
    trip = own_trips.trip(driver="Ana")
    said = await change(api, own_trips, own_trips.drivers["Ana"], active=False)
    assert said["warnings"] == ["Ana still has 1 trip to be given to somebody else: Jane Roe (K1234567), 1 Dec 9:00."]
    assert said["message"] == f"Driver updated successfully! {said['warnings'][0]}"
    assert [one["id"] for one in said["trips"]] == [str(trip)]
    assert own_trips.row(trip)["driver_assigned"] == own_trips.drivers["Ana"]


async def test_of_two_who_save_over_each_other_the_second_is_told_by_whom(
    api: Api, office: TestOffice[Office], own_trips: Trips
) -> None:
    ident = (await add(api, own_trips))["driver_id"]
    office.clock.advance(minutes=5)
    await change(api, own_trips, ident, notes="theirs", version=1)
    mine = {"id": ident, "notes": "mine", "version": 1}
    said = refused(await api.post("/webhook/update-driver", mine, by=own_trips.people["admin"]), 409, "stale")
    assert said["why"].endswith("saved it on 23 November at 10:05 (notes)")


async def test_agents_change_no_driver_and_an_unknown_one_is_told(api: Api, own_trips: Trips) -> None:
    ana = {"id": str(own_trips.drivers["Ana"]), "notes": "x"}
    for role in ("booking_agent", "driver", "client"):
        refused(await api.post("/webhook/add-driver", driver(), by=own_trips.people[role]), 403)
        refused(await api.post("/webhook/update-driver", ana, by=own_trips.people[role]), 403)
    unknown = await api.post("/webhook/update-driver", {"id": str(uuid4())}, by=own_trips.people["admin"])
    refused(unknown, 404, "driver.unknown")


# ── Lists ──


async def test_the_list_says_how_everybody_stands_what_they_drive_and_what_is_under_way(
    api: Api, office: TestOffice[Office], own_trips: Trips
) -> None:
    own_trips.trip(driver="Ana")
    await add(api, own_trips)
    office.clock.set(NINE)
    who = own_trips.database.person("booking_agent")  # whose session began by the clock as it is now
    said = (await api.get("/webhook/driver-management", by=who)).json()
    assert said["stats"] == {"available": 3, "busy": 1, "on_leave": 0, "offline": 0, "total": 4, "inactive": 0}
    ana = said["drivers"][0]
    assert (ana["name"], ana["status"], ana["trips_ahead"], ana["google_calendar_connected"]) == ("Ana Driver", "busy", 1, False)
    assert [(day["minutes_kept"], day["minutes_driven"], day["trips"]) for day in ana["week"]][:2] == [(480, 0, 0), (480, 180, 1)]
    assert said["performance"] == {"totalTrips": 0, "topPerformer": None, "avgRating": None, "onTimePercentage": None}
    lead = own_trips.database.person("supervisor")
    dee = (await api.get("/webhook/driver-management", by=lead, q="truro")).json()["drivers"][0]
    assert [task["task_type"] for task in dee["tasks"]] == [TIMES, CALENDAR]


async def test_the_list_is_searched_filtered_and_read_page_by_page(api: Api, own_trips: Trips) -> None:
    own_trips.database.all("update drivers set active = false where first_name = 'Cem'")

    async def ask(path: str = "driver-management", **query: Any) -> dict[str, Any]:
        answer = await api.get(f"/webhook/{path}", by=own_trips.people["supervisor"], **query)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return {"names": [row["first_name"] for row in said["drivers"]], "next": said["next"], "count": said["count"]}

    for alias in ("get-all-drivers", "allDrivers"):
        assert (await ask(alias))["names"] == ["Ana", "Ben", "Cem"]
    assert (await ask(q="ben@"))["names"] == ["Ben"]
    assert (await ask(active=True))["names"] == ["Ana", "Ben"]
    assert (await ask(status="offline", active=False))["names"] == ["Cem"]
    first = await ask(limit=2)
    assert await ask(limit=2, after=first["next"]) == {"names": ["Cem"], "next": None, "count": 3}
    lead = own_trips.people["supervisor"]
    one = await ask(active=True, limit=1)
    own_trips.database.all("update drivers set active = false where first_name = 'Ana'")
    assert await ask(active=True, limit=1, after=one["next"]) == {"names": ["Ben"], "next": None, "count": 1}
    refused(await api.get("/webhook/driver-management", by=lead, after=str(uuid4())), 404, "cursor")
    refused(await api.get("/webhook/driver-management", by=lead, status="asleep"), 400)


async def test_a_schedule_is_the_staffs_whole_and_a_drivers_own_without_the_offices_notes(api: Api, own_trips: Trips) -> None:
    ana, ben = (str(own_trips.drivers[name]) for name in ("Ana", "Ben"))
    own_trips.database.all("update drivers set notes = 'Not on ice'")
    trip = own_trips.trip(driver="Ana")
    path, week = "/webhook/get-driver-schedule", "2026-12-03"
    seen = (await api.get(path, by=own_trips.people["booking_agent"], driver_id=ana, day=week)).json()["data"]
    assert (seen["driver"]["notes"], seen["time_off"], seen["changes"]) == ("Not on ice", [], [])
    assert [one["id"] for one in seen["trips"]] == [str(trip)]
    own = (await api.get(path, by=own_trips.people["driver"], day=week)).json()["data"]
    assert own.keys() == {"driver", "time_off", "trips"}
    assert "notes" not in own["driver"]
    assert [one["id"] for one in own["trips"]] == [str(trip)]
    assert own["driver"]["week"][1]["minutes_driven"] == seen["driver"]["week"][1]["minutes_driven"] > 0
    refused(await api.get(path, by=own_trips.people["driver"], driver_id=ben), 404, "driver.unknown")
    refused(await api.get(path, by=own_trips.people["client"], driver_id=ben), 403)
    refused(await api.get(path, by=own_trips.people["admin"]), 400)
    refused(await api.get(path, by=own_trips.people["admin"], driver_id=str(uuid4())), 404, "driver.unknown")
    refused(await api.get(path, by=own_trips.people["admin"], driver_id=ana, day="2026-19-39"), 400)


async def test_agents_are_told_when_somebody_is_away_and_supervisors_also_why(api: Api, own_trips: Trips) -> None:
    """It may be about their health."""
    ana = own_trips.drivers["Ana"]
    off = {"driver_id": str(ana), "start_date": "2026-12-01", "end_date": "2026-12-02", "reason": "Surgery"}
    await api.post("/webhook/create-driver-time-off", off, by=own_trips.people["supervisor"])
    for role, why in (("supervisor", ["Surgery"]), ("booking_agent", [])):
        by = own_trips.people[role]
        listed = (await api.get("/webhook/driver-management", by=by)).json()["drivers"][0]["time_off"]
        shown = (await api.get("/webhook/get-driver-schedule", by=by, driver_id=ana)).json()["data"]["time_off"]
        for (entry,) in (listed, shown):
            assert (entry["start_date"], [entry[name] for name in entry if name == "reason"]) == ("2026-12-01", why)


async def test_hours_within_those_that_the_clocks_skip_are_none_and_the_list_is_still_there(api: Api, own_trips: Trips) -> None:
    night = {"sunday": {"available": True, "start": "02:15", "end": "03:00"}}
    await change(api, own_trips, own_trips.drivers["Ana"], weekly_hours=night)
    schedule = await api.get(
        "/webhook/get-driver-schedule", by=own_trips.people["supervisor"], driver_id=own_trips.drivers["Ana"], day="2027-03-14"
    )
    assert [day["minutes_kept"] for day in schedule.json()["data"]["driver"]["week"]] == [0] * 7


async def test_who_is_free_and_who_there_is_to_choose(api: Api, own_trips: Trips) -> None:
    own_trips.database.all("update drivers set active = false where first_name = 'Cem'")
    lead, agent = own_trips.people["supervisor"], own_trips.people["booking_agent"]
    free = (await api.get("/webhook/driver-availability", by=lead)).json()["drivers"]
    assert [(row["driver_name"], row["weekly_hours"]["monday"]["start"]) for row in free] == [
        ("Ana Driver", "08:00"),
        ("Ben Driver", "08:00"),
    ]
    refused(await api.get("/webhook/driver-availability", by=agent), 403)
    basics = (await api.get("/webhook/driver-basic-info", by=agent)).json()["drivers"]
    assert [row["first_name"] for row in basics] == ["Ana", "Ben", "Cem"]
    assert "home_address" not in basics[0]
