"""save-appointment: what whoever books trips may rely on, and what the driver's calendar, the client and Quo get of it."""

from __future__ import annotations

import pytest

from backhaul.core.errors import Transient, Unplaceable
from backhaul.core.testing import TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, refused
from tests.appointment_desk import CALENDAR, NOTICE, QUO, done, events, form, give_calendar, saved, waiting
from tests.fakes import FakeCalendars, FakeQuo, FakeTexts
from tests.trips import Trips

SAVE = "/webhook/save-appointment-v7"


async def test_a_trip_is_answered_in_the_pages_words_with_its_times_worked_out(api: Api, own_trips: Trips) -> None:
    answer = await api.post(SAVE, form(own_trips, pickupTime="2026-12-01T01:00:00Z"), by=own_trips.people["booking_agent"])
    body = answer.json()
    assert answer.status_code == 200, body
    assert body["message"] == "1 of 1 appointment(s) saved successfully"
    assert (body["appointmentsSaved"], body["totalAppointments"]) == (1, 1)
    assert body["appointmentIds"] == [body["appointmentId"]] == [body["appointment_id"]]
    assert body["appointments"][0] | {"version": 1} == body["appointments"][0]
    assert body["appointments"][0]["pickuptime"] == "2026-12-01T12:15:00Z"
    assert body["appointments"][0]["location"] == "QEII"
    assert waiting(own_trips.database) == [f"{NOTICE} client", QUO]


async def test_many_trips_have_an_audit_entry_each_in_one_commit(api: Api, own_trips: Trips) -> None:
    days = [f"2026-12-0{day}T13:00:00Z" for day in (1, 2, 3)]
    rows = [form(own_trips, appointmentDateTime=at) for at in days]
    body = (await api.post(SAVE, {"appointments": rows}, by=own_trips.people["booking_agent"])).json()
    assert body["message"] == "3 of 3 appointment(s) saved successfully"
    entries = own_trips.database.all("select action, entity_id from audit_logs where action = 'create_appointment'")
    assert sorted(str(entry["entity_id"]) for entry in entries) == sorted(body["appointmentIds"])
    owners = own_trips.database.all(
        "select a.entity_id = t.entity_id as fits from background_tasks t join audit_logs a on a.id = t.audit_log_id"
    )
    assert [row["fits"] for row in owners] == [True] * 6
    tasks = {
        str(row["id"]): str(row["entity_id"]) for row in own_trips.database.all("select id, entity_id from background_tasks")
    }
    assert [tasks[task] for task in body["task_ids"][QUO]] == body["appointmentIds"]


async def test_all_faults_of_all_rows_are_told_at_once_and_nothing_is_saved(api: Api, own_trips: Trips) -> None:
    good, bad = form(own_trips), form(own_trips, knumber="X", appointmentDateTime="soon")
    answer = await api.post(SAVE, {"appointments": [good, bad, {}]}, by=own_trips.people["booking_agent"])
    fields = refused(answer, 400, "validation")["fields"]
    assert {"appointments.1.knumber", "appointments.1.appointmentDateTime", "appointments.2.knumber"} <= fields.keys()
    assert fields["appointments.2.knumber"] == "Row 3: Client K number is required"
    assert own_trips.database.value("select count(*) from appointments") == 0


async def test_no_trips_are_refused_in_the_pages_words(api: Api, own_trips: Trips) -> None:
    answer = await api.post(SAVE, {"appointments": []}, by=own_trips.people["booking_agent"])
    assert "No appointments provided" in refused(answer, 400)["message"]


async def test_a_driver_who_is_not_free_is_told_by_row_and_nothing_is_saved(api: Api, own_trips: Trips) -> None:
    own_trips.trip(driver="Ana")
    rows = [form(own_trips), form(own_trips, driver_assigned=str(own_trips.drivers["Ana"]))]
    body = refused(await api.post(SAVE, {"appointments": rows}, by=own_trips.people["supervisor"]), 409)
    assert "Row 2: the driver is not free (trip)" in body["message"]
    assert own_trips.database.value("select count(*) from appointments") == 1


async def test_two_rows_that_give_one_driver_two_trips_at_once_are_refused(api: Api, own_trips: Trips) -> None:
    rows = [form(own_trips, driver_assigned=str(own_trips.drivers["Ana"]))] * 2
    refused(await api.post(SAVE, {"appointments": rows}, by=own_trips.people["supervisor"]), 409)
    assert own_trips.database.value("select count(*) from appointments") == 0


async def test_an_agent_chooses_neither_driver_nor_rate(api: Api, own_trips: Trips) -> None:
    for given in ({"driver_assigned": str(own_trips.drivers["Ana"])}, {"customRate": 80}):
        refused(await api.post(SAVE, form(own_trips, **given), by=own_trips.people["booking_agent"]), 403)
    assert own_trips.database.value("select count(*) from appointments") == 0


async def test_a_second_click_books_nothing_twice(api: Api, own_trips: Trips) -> None:
    rows = {"appointments": [form(own_trips), form(own_trips, appointmentDateTime="2026-12-02T13:00:00Z")]}
    first, again = [await api.post(SAVE, rows, by=own_trips.people["booking_agent"], key="click-1") for _ in range(2)]
    assert first.json() | {"timestamp": ""} == again.json() | {"timestamp": ""}
    assert own_trips.database.value("select count(*) from appointments") == 2
    assert own_trips.database.value("select count(*) from audit_logs where action = 'create_appointment'") == 2


async def test_nothing_follows_that_is_not_needed(api: Api, own_trips: Trips) -> None:
    await saved(api, own_trips, knumber="K0000", appointment_type="support", event_name="Car wash")
    assert waiting(own_trips.database) == []
    own_trips.database.all("update office_settings set value = 'false' where key = 'notices_on'")
    await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]))
    assert waiting(own_trips.database) == [QUO]  # a driver without a calendar, an office that sends no notices


async def test_no_text_goes_out_about_a_trip_that_is_over(api: Api, own_trips: Trips) -> None:
    await saved(api, own_trips, appointmentDateTime="2026-11-02T13:00:00Z")
    assert waiting(own_trips.database) == [QUO]


async def test_a_driver_without_a_number_is_said_and_no_task_is_left_for_it(api: Api, own_trips: Trips) -> None:
    own_trips.database.all("update drivers set phone = null")
    given = form(own_trips, driver_assigned=str(own_trips.drivers["Ana"]))
    body = (await api.post(SAVE, given, by=own_trips.people["supervisor"])).json()
    assert body["warnings"] == ["No text goes to Ana Driver: no telephone number is known"]
    assert waiting(own_trips.database) == [f"{NOTICE} client", QUO]


async def test_calendar_client_driver_and_quo_hear_of_a_trip_once(
    api: Api, own_trips: Trips, office: TestOffice[Office], calendars: FakeCalendars, texts: FakeTexts, quo: FakeQuo
) -> None:
    give_calendar(own_trips, "Ana")
    trip = await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]))
    assert waiting(own_trips.database) == [CALENDAR, f"{NOTICE} client", f"{NOTICE} driver", QUO]
    await done(office)
    (event,) = calendars.events.values()
    assert event is not None
    assert (event.title, event.status, event.location) == (
        "Transport: Jane Roe to QEII", "confirmed", "1 High St, Stewiacke, NS B0N 2J0",
    )  # fmt: skip
    assert "Instructions: Ring twice" in event.description
    assert (event.starts.isoformat(), event.ends.isoformat()) == ("2026-12-01T12:15:00+00:00", "2026-12-01T14:45:00+00:00")
    assert sorted(texts.texts) == [
        (
            "+19025550100",
            "New trip: Tuesday 1 December, pickup 8:15 am, Stewiacke. Details are in your calendar. Dispatch office",
        ),
        ("+19025550123", "Hello Jane, your ride is booked: Tuesday 1 December, pickup 8:15 am. Dispatch office"),
    ]
    assert list(quo.notes.values()) == ["Ride on Tuesday 1 December 2026, pickup 08:15: assigned"]
    assert list(quo.contacts) == [f"client:{own_trips.jane}"]
    assert {row["state"] for row in own_trips.database.all("select state from messages")} == {"sent"}
    assert own_trips.database.value("select event_id from appointment_events where appointment_id = %s", trip) is not None


async def test_an_event_whose_answer_was_lost_is_in_the_calendar_once(
    api: Api, own_trips: Trips, office: TestOffice[Office], calendars: FakeCalendars
) -> None:
    give_calendar(own_trips, "Ana")
    calendars.loses_answers = 1
    trip = await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]))
    await office.work()
    assert own_trips.database.value("select error from appointment_events where appointment_id = %s", trip) is not None
    await office.work(after_s=60)
    assert events(calendars) == {"Ana@cal.test": ["Transport: Jane Roe to QEII"]}
    assert own_trips.database.value("select error from appointment_events where appointment_id = %s", trip) is None


async def test_a_worker_that_dies_between_calendar_and_record_leaves_one_event(
    api: Api, own_trips: Trips, office: TestOffice[Office], calendars: FakeCalendars, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_calendar(own_trips, "Ana")
    await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]))

    async def dies(*_: object) -> None:
        raise Transient("The machine", "It was switched off")

    with monkeypatch.context() as power:
        power.setattr("backhaul.dispatch.trips.calendar_events.wrote", dies)
        await office.work()
    assert len(calendars.events) == 1
    await office.work(after_s=60)
    assert office.task(CALENDAR)["status"] == "completed"
    assert len(calendars.events) == 1


async def test_an_event_that_somebody_deleted_by_hand_comes_back_under_another_id(
    api: Api, own_trips: Trips, office: TestOffice[Office], calendars: FakeCalendars
) -> None:
    give_calendar(own_trips, "Ana")
    trip = await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]))
    await done(office)
    (spent,) = calendars.events
    calendars.events[spent] = None
    body = {"id": str(trip), "driver_instructions": "Ring three times"}
    await api.post("/webhook/update-appointment", body, by=own_trips.people["supervisor"])
    await done(office)
    assert len(calendars.events) == 2
    assert events(calendars) == {"Ana@cal.test": ["Transport: Jane Roe to QEII"]}
    assert own_trips.database.value("select generation from appointment_events where appointment_id = %s", trip) == 2


async def test_a_text_whose_answer_was_lost_is_not_sent_again(
    api: Api, own_trips: Trips, office: TestOffice[Office], texts: FakeTexts
) -> None:
    texts.loses_answers = 1
    await saved(api, own_trips)
    await office.work()
    await office.work(after_s=200)
    assert len(texts.texts) == 1
    assert own_trips.database.value("select state from messages") == "sent"


async def test_a_text_in_doubt_is_looked_for_and_sent_by_a_retry_also_when_the_trip_was_changed_since(
    api: Api, own_trips: Trips, office: TestOffice[Office], texts: FakeTexts
) -> None:
    texts.swallows = 100
    trip = await saved(api, own_trips)
    while office.task(NOTICE)["status"] != "failed":
        await office.work(after_s=200)
    assert own_trips.database.value("select state from messages") == "unknown"
    body = {"id": str(trip), "notes": "Knock loudly"}
    assert (await api.post("/webhook/update-appointment", body, by=own_trips.people["supervisor"])).status_code == 200
    texts.swallows = 0
    own_trips.database.one("select * from retry_background_task(%s)", office.task(NOTICE)["id"])
    while office.task(NOTICE)["status"] == "pending":
        await office.work(after_s=200)
    assert office.task(NOTICE)["status"] == "completed"
    assert len(texts.texts) == 1
    assert own_trips.database.all("select state from messages") == [{"state": "sent"}]


async def test_a_number_that_quo_refuses_is_said_and_kept_with_the_message(
    api: Api, own_trips: Trips, office: TestOffice[Office], texts: FakeTexts
) -> None:
    texts.fails(error=Unplaceable("Quo", "Quo does not text this number", "It is a landline", "Correct it", code="quo.refused"))
    await saved(api, own_trips)
    await office.work()
    failure = office.task(NOTICE)
    assert (failure["status"], failure["error_code"]) == ("failed", "quo.refused")
    assert own_trips.database.one("select state, error from messages") == {
        "state": "refused", "error": "Quo does not text this number. It is a landline.",
    }  # fmt: skip


async def test_where_quo_keeps_no_notes_that_is_said_and_nothing_fails(
    api: Api, own_trips: Trips, office: TestOffice[Office], quo: FakeQuo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quo, "keeps_notes", False, raising=False)
    await saved(api, own_trips)
    await done(office)
    assert office.task(QUO)["result"] == {"noted": False, "because": "Quo's v1 surface keeps no notes"}
    assert quo.contacts == {}


@pytest.mark.parametrize("role", ["driver", "client"])
async def test_only_staff_book_trips(api: Api, own_trips: Trips, role: str) -> None:
    refused(await api.post(SAVE, form(own_trips), by=own_trips.people[role]), 403)
