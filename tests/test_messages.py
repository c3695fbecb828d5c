"""Text messages about trips: what the office may say, and that nothing is sent twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from pydantic import ValidationError

from backhaul.core.errors import Forbidden, NotFound
from backhaul.core.store import Row, Store
from backhaul.core.testing import Clock
from backhaul.dispatch.messages import messages
from backhaul.dispatch.messages.messages import TemplateChange
from backhaul.dispatch.wall_time import office, read_moment
from tests.trips import NINE, Trips


def say(trips: Trips, trip: UUID, audience: str, kind: str, driver: str | None = None) -> str:
    who = trips.drivers[driver] if driver else None
    return str(trips.database.value("select private.message_text(%s, %s, %s, %s)", trip, audience, kind, who))


# ── Words ──


def test_the_usual_words_are_right_and_hold_the_minimum(trips: Trips) -> None:
    trip = trips.trip(driver="Ana", notes="dialysis", driver_instructions="chemo ward", scheduling_notes="oncology")
    trips.database.all("update office_settings set value = '\"Rural Rides\"' where key = 'sms_signature'")
    said = {
        (row["audience"], row["kind"]): say(trips, trip, row["audience"], row["kind"])
        for row in trips.database.all("select audience, kind from message_templates")
    }
    assert said["client", "booked"] == "Hello Jane, your ride is booked: Tuesday 1 December, pickup 8:30 am. Rural Rides"
    assert said["driver", "assigned"] == (
        "New trip: Tuesday 1 December, pickup 8:30 am, Stewiacke. Details are in your calendar. Rural Rides"
    )
    assert {kind: tuple(k for a, k in sorted(said) if a == kind) for kind in messages.KINDS} == {
        audience: tuple(sorted(kinds)) for audience, kinds in messages.KINDS.items()
    }
    for text in said.values():
        for private in ("QEII", "Clinic", "dialysis", "chemo", "oncology", "Roe", "K1234567", "High St", "{", "}"):
            assert private not in text


@pytest.mark.parametrize(
    ("given", "town"),
    [
        ({}, "Stewiacke"),
        ({"appointment_type": "one_way", "trip_direction": "to_home"}, "Halifax"),
        ({"appointment_type": "support", "event_name": "Foot clinic", "client_id": None}, "Halifax"),
        ({"appointment_type": "support", "event_name": "x", "client_id": None, "clinic_id": None}, "see your calendar"),
    ],
)
def test_a_driver_is_told_the_town_where_the_trip_begins(trips: Trips, given: dict[str, Any], town: str) -> None:
    assert f", {town}." in say(trips, trips.trip(driver="Ana", **given), "driver", "reminder")


def test_a_driver_who_lost_a_trip_is_spoken_to_by_name(trips: Trips) -> None:
    trips.database.all("update message_templates set body = '{driver_first_name}: not yours' where kind = 'unassigned'")
    trip = trips.trip(driver="Ben")
    assert say(trips, trip, "driver", "unassigned", "Ana") == "Ana: not yours"


@pytest.mark.parametrize("body", ["Your {clinic}", "Hello {", "Hello }", "{date", "{}", "{DATE}", "{notes}", " ", "x" * 401])
def test_words_that_cannot_be_filled_in_are_refused_by_database_and_form_alike(trips: Trips, body: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        trips.database.all("update message_templates set body = %s", body)
    with pytest.raises(ValidationError):
        TemplateChange.model_validate({"audience": "client", "kind": "booked", "body": body})


def test_database_and_form_know_the_same_placeholders(trips: Trips) -> None:
    assert tuple(trips.database.value("select private.placeholders()")) == messages.PLACEHOLDERS
    body = " ".join(f"{{{name}}}" for name in messages.PLACEHOLDERS)
    trips.database.all("update message_templates set body = %s", body)
    assert TemplateChange.model_validate({"audience": "client", "kind": "booked", "body": body}).body == body


def test_what_a_name_holds_is_never_filled_in_again(trips: Trips) -> None:
    trips.database.all("update clients set firstname = '{signature}'")
    assert say(trips, trips.trip(), "client", "booked").startswith("Hello {signature}, your ride")


async def test_an_administrator_edits_the_words_sees_them_filled_in_and_goes_back(own_trips: Trips, store: Store) -> None:
    admin, sue = own_trips.people["admin"], own_trips.people["supervisor"]
    change = TemplateChange.model_validate(
        {"audience": "client", "kind": "reminder", "text": "Ride {date} {pickup_time}. Call {support_phone}"}
    )
    assert change.body is not None
    async with store.person(admin.id, admin.session_id) as (tx, _):
        changed = await messages.change_template(tx, change)
        assert (changed.fields, changed.after.updated_by) == (["body", "updated_by"], admin.id)
        assert await messages.preview(tx, change.body) == "Ride Tuesday 1 December 9:30 am. Call"
        back = await messages.change_template(tx, TemplateChange.model_validate({"audience": "client", "kind": "reminder"}))
        assert back.after.body == back.after.usual_body
        with pytest.raises(NotFound):
            await messages.change_template(tx, TemplateChange.model_validate({"audience": "client", "kind": "assigned"}))
        assert len(await messages.templates(tx)) == 9
    async with store.person(sue.id, sue.session_id) as (tx, _):
        with pytest.raises((Forbidden, NotFound)):
            await messages.change_template(tx, change)


# ── At most once ──


_INTEND: LiteralString = "select * from private.intend_message(%s, 'client', %s, %s, %s, %s, %s, 'hash')"


def intend(
    trips: Trips, trip: UUID, kind: str = "reminder", at: datetime = NINE, occasion: int = 0, to: str | None = "+19025550123"
) -> Row:
    return trips.database.one(_INTEND, trip, trips.jane, kind, at, occasion, to)


def settle(trips: Trips, message: UUID, state: str, error: str | None = None) -> str:
    return str(trips.database.value("select private.settle_message(%s, %s, null, %s)", message, state, error))


def test_a_message_is_written_down_once_and_only_its_writer_may_send(trips: Trips) -> None:
    trip = trips.trip()
    first, again = intend(trips, trip), intend(trips, trip)
    assert (first["may_send"], again["may_send"]) == (True, False)
    assert first["id"] == again["id"]
    assert intend(trips, trip, at=NINE + timedelta(days=1))["may_send"]
    assert intend(trips, trip, kind="changed", occasion=2)["may_send"]
    assert intend(trips, trip, kind="changed", occasion=3)["may_send"]
    assert not intend(trips, trip, kind="changed", occasion=3)["may_send"]


def test_what_is_sent_stays_sent_and_what_is_unknown_is_not_sent_again(trips: Trips) -> None:
    trip = trips.trip()
    message = intend(trips, trip)["id"]
    assert settle(trips, message, "unknown", "Quo did not answer") == "unknown"
    assert not intend(trips, trip)["may_send"]
    assert settle(trips, message, "sent") == "sent"
    for state in ("refused", "unknown", "intended"):
        assert settle(trips, message, state, "late") == "sent"
    assert trips.database.value("select error from messages") is None


def test_a_refused_message_may_be_sent_once_its_cause_is_gone(trips: Trips) -> None:
    trip = trips.trip()
    without = intend(trips, trip, to=None)
    assert (without["state"], without["may_send"]) == ("refused", False)
    assert trips.database.value("select error from messages") == "There is no telephone number."
    assert not intend(trips, trip, to=None)["may_send"]
    again = intend(trips, trip, to="+19025550199")
    assert (again["id"], again["may_send"], again["to_number"]) == (without["id"], True, "+19025550199")
    assert not intend(trips, trip, to="+19025550199")["may_send"]


@pytest.mark.parametrize("state", ["refused", "unknown"])
def test_a_failure_says_why(trips: Trips, state: str) -> None:
    message = intend(trips, trips.trip())["id"]
    with pytest.raises(psycopg.errors.CheckViolation):
        settle(trips, message, state)


def test_of_many_who_would_remind_at_the_same_moment_one_may(own_trips: Trips) -> None:
    trip = own_trips.trip(driver="Ana")
    together = Barrier(8)

    def ask(_: int) -> bool:
        together.wait()
        return bool(intend(own_trips, trip)["may_send"])

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [False] * 7 + [True]


# ── When ──


@pytest.mark.parametrize(
    ("pickup", "hours", "sent"),
    [
        ("2026-12-01 09:30", 24, "2026-11-30 09:30"),
        ("2026-12-01 06:00", 24, "2026-11-30 08:00"),  # not before eight
        ("2026-12-01 22:00", 24, "2026-11-30 19:30"),  # nor after eight, but earlier
        ("2026-12-01 09:30", 1, "2026-12-01 08:30"),
        ("2026-12-01 06:00", 1, "2026-11-30 19:30"),  # the day itself begins too late
        ("2026-12-01 08:20", 1, "2026-11-30 19:30"),
        ("2026-12-01 08:40", 1, "2026-12-01 08:00"),
        ("2026-11-01 12:00", 24, "2026-10-31 13:00"),  # twenty-four hours, though the clocks go back that night
    ],
)
def test_a_reminder_goes_out_in_the_offices_hours_earlier_rather_than_later(
    trips: Trips, pickup: str, hours: int, sent: str
) -> None:
    when = trips.database.value("select private.reminder_time(%s, %s, '08:00', '20:00')", read_moment(pickup), hours)
    assert f"{office(when):%Y-%m-%d %H:%M}" == sent


async def test_reminders_are_due_once_for_each_pickup_to_client_and_driver(own_trips: Trips, store: Store, clock: Clock) -> None:
    trip = own_trips.trip(driver="Ana")
    own_trips.trip("2026-12-01 09:00")  # pending: nobody knows yet who comes
    pickup = own_trips.row(trip)["pickuptime"]

    async def due() -> list[tuple[str, str | None]]:
        async with store.service() as tx:
            return [(one.audience, one.to_number) for one in await messages.due(tx)]

    clock.set(pickup - timedelta(hours=24, minutes=1))
    assert await due() == []
    clock.advance(minutes=1)
    assert await due() == [("client", "+19025550123"), ("driver", "+19025550100")]
    async with store.service() as tx:
        for one in await messages.due(tx):
            text = await messages.text(tx, one.appointment_id, one.audience, "reminder")
            intended = await messages.intend(
                tx,
                one.appointment_id,
                one.audience,
                one.recipient_id,
                "reminder",
                for_time=one.for_time,
                to_number=one.to_number,
                body=text,
            )
            assert await messages.settle(tx, intended.id, "sent", provider_id="AC1") == "sent"
    assert await due() == []
    own_trips.set(trip, appointmenttime=NINE + timedelta(minutes=30))
    assert await due() == []  # the new one is not due yet
    clock.advance(minutes=30)
    assert [audience for audience, _ in await due()] == ["client", "driver"]


@pytest.mark.parametrize(
    "off",
    [
        "update office_settings set value = 'false' where key = 'reminders_on'",
        "update appointments set deleted_at = now(), purged_at = now()",
        "update appointments set operation_status = 'cancelled', cancellation_reason = 'Ill'",
        "update appointments set operation_status = 'pending', driver_assigned = null",
        "update office_settings set value = '1' where key = 'reminder_hours_before'",
        "update office_settings set value = '\"10:00\"' where key = 'reminder_window_end'",
    ],
)
def test_nobody_is_reminded_of_what_is_off_or_outside_the_hours(trips: Trips, off: LiteralString) -> None:
    trip = trips.trip(driver="Ana")
    trips.database.all("update testing.clock set now = %s", trips.row(trip)["pickuptime"] - timedelta(hours=20))
    assert len(trips.database.all("select * from private.reminders_due()")) == 2
    trips.database.all(off)
    assert trips.database.all("select * from private.reminders_due()") == []


def test_a_person_without_a_number_is_written_down_once_and_due_again_when_there_is_one(trips: Trips) -> None:
    trip = trips.trip(driver="Ana")
    trips.database.all("update drivers set phone = null, work_phone = null")
    trips.database.all("update testing.clock set now = %s", trips.row(trip)["pickuptime"] - timedelta(hours=20))

    def drivers() -> list[Row]:
        return trips.database.all(
            "select recipient_id, for_time, to_number from private.reminders_due() where audience = 'driver'"
        )

    due = drivers()[0]
    trips.database.one(
        "select * from private.intend_message(%s, 'driver', %s, 'reminder', %s, 0, null, 'hash')",
        trip,
        due["recipient_id"],
        due["for_time"],
    )
    assert drivers() == []
    trips.database.all("update drivers set work_phone = '+19025550177'")
    assert [row["to_number"] for row in drivers()] == ["+19025550177"]
