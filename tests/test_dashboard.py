"""get-dashboard: the day at a glance for whoever works in the office, and for nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.api_fixtures import Api, refused
from tests.trips import Trips

MONDAY = "2026-11-23"  # when the tests' clock stands at ten in the morning


@pytest.fixture
def monday(own_trips: Trips) -> dict[str, UUID]:
    """Trips of today with Ana and with Ben, one cancelled, one without a driver; and two of the day after."""
    made = {
        "late": own_trips.trip(f"{MONDAY} 16:00", "Ben"),
        "early": own_trips.trip(f"{MONDAY} 11:00", "Ana"),
        "open": own_trips.trip(f"{MONDAY} 13:00"),
        "off": own_trips.trip(f"{MONDAY} 14:30", "Ana"),
        "tomorrow": own_trips.trip("2026-11-24 09:00"),
        "tomorrow, driven": own_trips.trip("2026-11-24 09:00", "Ben"),
    }
    own_trips.set(made["off"], operation_status="cancelled", cancellation_reason="Snow")
    own_trips.database.all("insert into appointment_costs (appointment_id, custom_rate) values (%s, 75)", made["early"])
    return made


async def read(api: Api, own: Trips, by: str = "booking_agent") -> dict[str, Any]:
    answer = await api.get("/webhook/get-dashboard", by=own.people[by])
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def named(rows: list[dict[str, Any]], made: dict[str, UUID]) -> list[str]:
    return [{str(ident): name for name, ident in made.items()}[row["id"]] for row in rows]


async def test_the_day_is_there_by_pickup_in_numbers_and_with_what_tomorrow_lacks(
    api: Api, own_trips: Trips, monday: dict[str, UUID]
) -> None:
    body = await read(api, own_trips)
    assert (body["day"], body["tomorrow"]) == (MONDAY, "2026-11-24")
    assert named(body["trips"], monday) == ["early", "open", "off", "late"]
    assert named(body["tomorrow_unassigned"], monday) == ["tomorrow"]
    numbers = body["numbers"]
    assert [numbers[name] for name in ("trips", "unassigned", "assigned", "cancelled", "drivers")] == [4, 1, 2, 1, 2]
    assert numbers["unassigned_next_7_days"] == 1


async def test_no_price_is_in_it_even_for_those_who_may_see_prices(api: Api, own_trips: Trips, monday: dict[str, UUID]) -> None:
    for by in ("admin", "supervisor", "booking_agent"):
        answer = await api.get("/webhook/get-dashboard", by=own_trips.people[by])
        assert "75.00" not in answer.text
        assert "rate" not in answer.text.lower()


async def test_drivers_and_clients_are_not_shown_the_offices_day(api: Api, own_trips: Trips, monday: dict[str, UUID]) -> None:
    for by in ("driver", "client"):
        refused(await api.get("/webhook/get-dashboard", by=own_trips.people[by]), 403)


async def test_the_reminders_say_what_goes_next_what_went_and_what_was_refused(
    api: Api, own_trips: Trips, monday: dict[str, UUID]
) -> None:
    put = own_trips.database.value
    trip, pickup = monday["late"], own_trips.row(monday["late"])["pickuptime"]
    intend = "select id from private.intend_message(%s, %s, %s, 'reminder', %s, 0, %s, 'hash')"
    sent = put(intend, trip, "client", own_trips.jane, pickup, "+19025550123")
    put("select private.settle_message(%s, 'sent', 'AC1', null)", sent)
    wrong = put(intend, trip, "driver", own_trips.drivers["Ben"], pickup, "+19025550101")
    put("select private.settle_message(%s, 'refused', null, 'Not a mobile number')", wrong)

    reminders = (await read(api, own_trips))["reminders"]
    assert (reminders["on"], reminders["sent_today"], reminders["waiting"]) == (True, 1, 4)
    waiting = [(row["recipient"], row["audience"], row["has_number"]) for row in reminders["next"]]
    assert sorted(waiting[:2]) == [("Ana Driver", "driver", True), ("Jane Roe", "client", True)]  # of "early"; then of tomorrow's
    (refusal,) = reminders["to_look_at"]
    assert (refusal["recipient"], refusal["state"], refusal["error"]) == ("Ben Driver", "refused", "Not a mobile number")


def doubtful(own: Trips, trip: UUID, owner: str) -> tuple[UUID, UUID]:
    """Jane's reminder of that trip, whose fate nobody knows, and its failed task, which is that person's."""
    put, pickup = own.database.value, own.row(trip)["pickuptime"]
    text = put(
        "select id from private.intend_message(%s, 'client', %s, 'reminder', %s, 0, '+19025550123', 'hash')",
        trip, own.jane, pickup,
    )  # fmt: skip
    put("select private.settle_message(%s, 'unknown', null, 'Quo gave no answer.')", text)
    task = put(
        "select private.create_task('appointment', %s, 'Jane', 'send_reminder', %s, null,"
        " jsonb_build_object('audience', 'client', 'recipient_id', %s, 'for_time', %s::timestamptz), null, 1, 'quo', null)",
        trip, own.people[owner].id, own.jane, pickup,
    )  # fmt: skip
    put("select status from start_background_task(%s)", task)
    put("select status from fail_background_task(%s, 'It may have been sent.', 'quo.may_be_sent')", task)
    return text, task


async def test_a_text_that_may_have_been_sent_is_shown_with_its_number_until_somebody_says_that_they_have_it(
    api: Api, own_trips: Trips, monday: dict[str, UUID]
) -> None:
    put, agent = own_trips.database.value, own_trips.people["booking_agent"]
    text, task = doubtful(own_trips, monday["late"], "booking_agent")
    (doubt,) = (await read(api, own_trips))["reminders"]["to_look_at"]
    assert (doubt["id"], doubt["state"], doubt["to_number"], doubt["task_id"]) == (
        str(text), "unknown", "+19025550123", str(task),
    )  # fmt: skip
    said = await api.post("/webhook/mark-message-sent", {"id": str(text)}, by=agent)
    assert said.json()["message"] == "Noted: they have it."
    assert (await read(api, own_trips))["reminders"]["to_look_at"] == []
    row = own_trips.database.one("select state, error from messages where id = %s", text)
    assert row == {"state": "sent", "error": None}
    assert put("select dismissed_by from background_tasks where id = %s", task) == agent.id
    noted = own_trips.database.one("select entity_id, details from audit_logs where action = 'mark_message_sent'")
    assert noted == {"entity_id": monday["late"], "details": {"audience": "client", "kind": "reminder"}}
    again = refused(await api.post("/webhook/mark-message-sent", {"id": str(text)}, by=agent), 409)
    assert (again["what"], again["why"]) == ("This text is not in doubt", "It is sent.")


async def test_a_failure_that_is_somebody_elses_is_neither_offered_nor_dismissed(
    api: Api, own_trips: Trips, monday: dict[str, UUID]
) -> None:
    text, task = doubtful(own_trips, monday["late"], "supervisor")
    (doubt,) = (await read(api, own_trips))["reminders"]["to_look_at"]
    assert doubt["task_id"] is None
    (seen,) = (await read(api, own_trips, by="supervisor"))["reminders"]["to_look_at"]
    assert seen["task_id"] == str(task)
    said = await api.post("/webhook/mark-message-sent", {"id": str(text)}, by=own_trips.people["booking_agent"])
    assert said.status_code == 200
    assert own_trips.database.value("select dismissed_at from background_tasks where id = %s", task) is None


async def test_a_text_that_is_being_sent_again_is_said_to_be_and_is_not_marked(
    api: Api, own_trips: Trips, monday: dict[str, UUID]
) -> None:
    text, task = doubtful(own_trips, monday["late"], "supervisor")
    own_trips.database.one("select * from retry_background_task(%s)", task)
    (doubt,) = (await read(api, own_trips))["reminders"]["to_look_at"]
    assert (doubt["task_id"], doubt["under_way"]) == (None, True)
    answer = await api.post("/webhook/mark-message-sent", {"id": str(text)}, by=own_trips.people["booking_agent"])
    assert refused(answer, 409)["what"] == "This text is being seen to"


async def test_to_say_that_they_have_one_text_leaves_the_failure_of_a_later_one(
    api: Api, own_trips: Trips, monday: dict[str, UUID]
) -> None:
    put, trip = own_trips.database.value, monday["late"]
    pickup, supervisor = own_trips.row(trip)["pickuptime"], own_trips.people["supervisor"]
    said = "select id from private.intend_message(%s, 'client', %s, %s, %s, %s, '+19025550123', 'hash')"
    booked = put(said, trip, own_trips.jane, "booked", pickup, 1)
    put("select private.settle_message(%s, 'unknown', null, 'Quo gave no answer.')", booked)
    moved = put(said, trip, own_trips.jane, "changed", pickup + timedelta(hours=1), 2)
    put("select private.settle_message(%s, 'refused', null, 'Not a mobile number')", moved)
    task = put(
        "select private.create_task('appointment', %s, 'Jane', 'send_appointment_notification', %s, null,"
        " jsonb_build_object('audience', 'client', 'recipient_id', %s::uuid), null, 1, 'quo', null)",
        trip, supervisor.id, own_trips.jane,
    )  # fmt: skip
    put("select status from start_background_task(%s)", task)
    put("select status from fail_background_task(%s, 'Not a mobile number.', 'quo.refused')", task)
    seen = {row["id"]: row["task_id"] for row in (await read(api, own_trips, by="supervisor"))["reminders"]["to_look_at"]}
    assert seen == {str(booked): None, str(moved): str(task)}
    assert (await api.post("/webhook/mark-message-sent", {"id": str(booked)}, by=supervisor)).status_code == 200
    assert put("select dismissed_at from background_tasks where id = %s", task) is None


async def test_where_reminders_are_off_none_is_announced(api: Api, own_trips: Trips, monday: dict[str, UUID]) -> None:
    own_trips.database.all("update office_settings set value = 'false' where key = 'reminders_on'")
    reminders = (await read(api, own_trips))["reminders"]
    assert (reminders["on"], reminders["waiting"], reminders["next"]) == (False, 0, [])


async def test_the_reminders_that_are_due_are_among_those_announced(own_trips: Trips, monday: dict[str, UUID]) -> None:
    due = own_trips.database.all("select appointment_id, audience from private.reminders_due()")
    ahead = own_trips.database.all(
        "select appointment_id, audience from private.reminders_ahead() where goes_at <= public.task_now()"
    )
    assert due
    assert sorted(map(str, due)) == sorted(map(str, ahead))
