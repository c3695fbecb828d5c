"""Who of the office may see and change what, by role and down to the single field.

Asked of the database itself, as whoever holds a token could.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.test_access import rows_seen
from tests.trips import NINE, Trips, refusal, set_in

ROLES = ("admin", "supervisor", "booking_agent", "driver", "client")
SUPERVISORS = ("admin", "supervisor")
STAFF = (*SUPERVISORS, "booking_agent")


@pytest.fixture
def peopled(standing_trips: Trips) -> Iterator[Trips]:
    """One office for all tests in which people only try; what the house has put there goes afterwards."""
    yield standing_trips
    standing_trips.database.all("truncate appointments cascade")


_BOOK: LiteralString = (
    "insert into appointments (client_id, appointmenttime, driver_assigned, managed_by, operation_status, deleted_at)"
    " values (%s, %s, %s, %s, %s, %s) returning operation_status, managed_by, created_by"
)


# ── Trips ──


@pytest.mark.parametrize("role", ROLES)
def test_staff_book_trips_and_sign_for_them(peopled: Trips, role: str) -> None:
    me = peopled.people[role].id
    with peopled.as_(role) as connection:
        booking = (peopled.jane, NINE, None, None, "pending", None)
        if role not in STAFF:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(_BOOK, booking)
            return
        booked = connection.execute(_BOOK, booking).fetchone()
    assert booked is not None
    assert booked["created_by"] == me
    assert booked["managed_by"] == (me if role == "booking_agent" else None)


@pytest.mark.parametrize(
    ("driver", "manager", "status", "said"),
    [
        ("Ana", None, "pending", "change the driver"),
        (None, "supervisor", "pending", "choose another managing agent"),
        ("Ana", None, "completed", "change the driver"),
    ],
)
def test_an_agent_books_neither_a_driver_nor_for_somebody_elses_care(
    peopled: Trips, driver: str | None, manager: str | None, status: str, said: str
) -> None:
    booking = (
        peopled.jane, NINE, peopled.drivers[driver] if driver else None, peopled.people[manager].id if manager else None,
        status, None,
    )  # fmt: skip
    with peopled.as_("booking_agent") as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute(_BOOK, booking)
    assert refusal(refused) == f"BT403: you may not {said}. Your role does not include it. Ask a supervisor."
    with peopled.as_("admin" if status == "completed" else "supervisor") as connection:
        assert connection.execute(_BOOK, booking).fetchone()


@pytest.mark.parametrize("role", SUPERVISORS)
def test_a_trip_is_entered_as_driven_by_administrators_alone(peopled: Trips, role: str) -> None:
    booking = (peopled.jane, NINE, peopled.drivers["Ana"], None, "completed", None)
    with peopled.as_(role) as connection:
        if role == "admin":
            assert connection.execute(_BOOK, booking).fetchone()
            return
        with pytest.raises(psycopg.Error) as refused:
            connection.execute(_BOOK, booking)
    assert refusal(refused) == "BT403: you may not change the status. Your role does not include it. Ask an administrator."


_SUPERVISORS_ALONE: list[tuple[dict[str, Any], str]] = [
    ({"transittime": 45}, "change the transit time"),
    ({"driver_assigned": "Ben"}, "change the driver"),
    ({"driver_assigned": None}, "change the driver"),
    ({"managed_by": None}, "change the managing agent"),
]


@pytest.mark.parametrize(("changes", "said"), _SUPERVISORS_ALONE)
@pytest.mark.parametrize("role", ROLES)
def test_who_drives_how_long_it_takes_and_who_cares_is_the_supervisors(
    peopled: Trips, role: str, changes: dict[str, Any], said: str
) -> None:
    trip = peopled.trip(driver="Ana", managed_by=peopled.people["booking_agent"].id)
    changes = {name: peopled.drivers.get(value, value) for name, value in changes.items()}
    with peopled.as_(role) as connection:
        if role in SUPERVISORS:
            assert set_in(connection, trip, **changes)
        elif role == "booking_agent":
            with pytest.raises(psycopg.Error) as refused:
                set_in(connection, trip, **changes)
            assert refusal(refused).startswith(f"BT403: you may not {said}.")
        else:
            assert set_in(connection, trip, **changes) == {}


@pytest.mark.parametrize("also", [{}, {"managed_by": None}, {"driver_assigned": "Ben"}])
@pytest.mark.parametrize("role", STAFF)
def test_whether_a_trip_was_driven_says_an_administrator_whatever_else_is_changed(
    peopled: Trips, role: str, also: dict[str, Any]
) -> None:
    agent = peopled.people["booking_agent"].id
    open_, driven = (peopled.trip(at, "Ana", managed_by=agent) for at in (NINE, NINE + timedelta(days=1)))
    peopled.set(driven, operation_status="completed")
    also = {name: peopled.drivers.get(value, value) for name, value in also.items()}
    for trip, status in ((open_, "completed"), (driven, "assigned")):
        with peopled.as_(role) as connection:
            if role == "admin":
                assert set_in(connection, trip, operation_status=status, **also)["operation_status"] == status
                continue
            with pytest.raises(psycopg.Error) as refused:
                set_in(connection, trip, operation_status=status, **also)
            if role == "supervisor":
                assert refusal(refused).startswith("BT403: you may not change the status.")
                assert refusal(refused).endswith("Ask an administrator.")
            else:
                assert refusal(refused).startswith("BT403: you may not change the ")


@pytest.mark.parametrize("role", STAFF)
def test_supervisors_take_up_a_cancelled_trip_again(peopled: Trips, role: str) -> None:
    for status, driver in (("assigned", peopled.drivers["Ana"]), ("pending", None)):
        trip = peopled.trip(driver="Ana")
        peopled.set(trip, operation_status="cancelled", cancellation_reason="Ill")
        with peopled.as_(role) as connection:
            if role in SUPERVISORS:
                assert set_in(connection, trip, operation_status=status, driver_assigned=driver)["operation_status"] == status
            else:
                with pytest.raises(psycopg.Error, match="you may not change the "):
                    set_in(connection, trip, operation_status=status, driver_assigned=driver)


@pytest.mark.parametrize("role", STAFF)
def test_staff_edit_cancel_and_archive(peopled: Trips, role: str) -> None:
    assigned, pending = peopled.trip(driver="Ana"), peopled.trip()
    me = peopled.people[role].id
    with peopled.as_(role) as connection:
        assert set_in(connection, assigned, notes="x", appointmenttime=NINE, driver_instructions=None)["version"] == 2
        connection.execute("select private.cancel_appointment(%s, 'Ill')", (assigned,))
        connection.execute("select private.archive_appointment(%s)", (pending,))
        seen = connection.execute("select cancelled_by, deleted_by from appointments").fetchall()
    assert sorted(seen, key=str) == sorted(
        [{"cancelled_by": me, "deleted_by": None}, {"cancelled_by": None, "deleted_by": me}], key=str
    )


def test_nobody_cancels_or_archives_in_another_name(peopled: Trips) -> None:
    assigned, pending, other = peopled.trip(driver="Ana"), peopled.trip(), peopled.people["admin"].id
    me = peopled.people["booking_agent"].id
    with peopled.as_("booking_agent") as connection:
        gone = set_in(connection, assigned, operation_status="cancelled", cancellation_reason="Ill", cancelled_by=other)
        assert gone["cancelled_by"] == me
        forged = set_in(connection, assigned, cancelled_by=other, cancelled_at=NINE, created_by=other, created_at=NINE)
        assert {name: forged[name] for name in gone if name != "version"} == {n: v for n, v in gone.items() if n != "version"}
        with pytest.raises(psycopg.Error, match="cannot act for somebody else"):
            connection.execute("select private.archive_appointment(%s, %s)", (pending, other))


@pytest.mark.parametrize("role", STAFF)
def test_restoring_is_the_supervisors_and_deleting_for_good_the_administrators(peopled: Trips, role: str) -> None:
    trip = peopled.trip()
    peopled.database.one("select private.archive_appointment(%s)", trip)
    with peopled.as_(role) as connection:
        if role in SUPERVISORS:
            connection.execute("select private.unarchive_appointment(%s)", (trip,))
        else:
            with pytest.raises(psycopg.Error, match="may not restore"):
                connection.execute("select private.unarchive_appointment(%s)", (trip,))
    with peopled.as_(role) as connection:
        if role == "admin":
            connection.execute("select private.delete_appointment(%s)", (trip,))
        else:
            with pytest.raises(psycopg.Error) as refused:
                connection.execute("select private.delete_appointment(%s)", (trip,))
            assert "Administrator access required to permanently delete appointments" in refusal(refused)
            connection.rollback()
    if role != "admin":
        with peopled.as_(role) as connection, pytest.raises(psycopg.Error, match="may not delete appointments for good"):
            set_in(connection, trip, purged_at=NINE)


def test_what_was_deleted_for_good_is_seen_by_administrators_alone(peopled: Trips) -> None:
    peopled.database.one("select private.delete_appointment(%s)", peopled.trip())
    seen = {}
    for role in ROLES:
        with peopled.as_(role) as connection:
            seen[role] = len(connection.execute("select 1 from appointments").fetchall())
    assert seen == {"admin": 1, "supervisor": 0, "booking_agent": 0, "driver": 0, "client": 0}


# ── Costs ──


@pytest.mark.parametrize("role", ROLES)
def test_costs_are_seen_and_written_by_supervisors_and_nobody_else(peopled: Trips, role: str) -> None:
    trip = peopled.completed()
    with peopled.as_(role) as connection:
        seen = connection.execute("select custom_rate from appointment_costs").fetchall()
        through_the_view = connection.execute("select custom_rate from trips").fetchall()
        written = connection.execute("update appointment_costs set custom_rate = 1").rowcount
    assert [row["custom_rate"] for row in seen] == ([80] if role in SUPERVISORS else [])
    assert [row["custom_rate"] for row in through_the_view] == ([80] if role in SUPERVISORS else [None] if role in STAFF else [])
    assert written == (1 if role in SUPERVISORS else 0)
    if role not in SUPERVISORS:
        with peopled.as_(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("insert into appointment_costs (appointment_id, custom_rate) values (%s, 1)", (trip,))
        for forbidden in ("private.create_invoice(array[%s::uuid])", "private.address_invoice(%s, 'a@example.test')"):
            with peopled.as_(role) as connection, pytest.raises(psycopg.Error) as refused:
                connection.execute(sql.SQL("select {}").format(sql.SQL(forbidden)), (trip,))
            assert refusal(refused).startswith("BT403: only supervisors look after invoices.")


def test_an_agent_says_nothing_about_invoices(peopled: Trips) -> None:
    trip = peopled.completed()
    with peopled.as_("booking_agent") as connection, pytest.raises(psycopg.Error) as refused:
        set_in(connection, trip, invoice_status="not_ready")
    assert refusal(refused).startswith("BT403: you may not say what is ready for an invoice.")
    with peopled.as_("supervisor") as connection:
        assert set_in(connection, trip, invoice_status="not_ready")["invoice_status"] == "not_ready"


# ── Drivers' and clients' own trips ──


def test_a_driver_gets_their_own_trips_and_of_the_client_what_it_takes_to_fetch_them(peopled: Trips) -> None:
    mine = peopled.trip(driver="Ana", notes="between agents", driver_instructions="Ring twice")
    peopled.trip(driver="Ben")
    peopled.trip("2026-12-02 09:00")
    with peopled.as_("driver") as connection:
        seen = connection.execute("select * from my_trips").fetchall()
    assert [row["id"] for row in seen] == [mine]
    assert set(seen[0]) == {
        "id", "appointment_type", "trip_direction", "event_name", "appointmenttime", "pickuptime", "drop_off_time",
        "operation_status", "locationname", "locationaddress", "pickup_address", "driver_instructions", "client_name",
        "client_phone", "driver_first_name",
    }  # fmt: skip
    assert seen[0]["client_name"] == "Jane Roe"
    assert seen[0]["client_phone"] == "+19025550123"
    assert seen[0]["pickup_address"] == "1 High St, Stewiacke, NS B0N 2J0"
    assert seen[0]["driver_instructions"] == "Ring twice"


def test_a_client_gets_their_own_trips_and_who_comes(own_trips: Trips) -> None:
    own_trips.trip(driver="Ana", driver_instructions="Ring twice")
    own_trips.trip("2026-12-02 09:00")
    own_trips.trip("2026-12-02 09:00", client_id=own_trips.client("K7654321", "John"))
    with own_trips.as_("client") as connection:
        seen = connection.execute("select * from my_trips order by pickuptime").fetchall()
    assert [(row["driver_first_name"], row["operation_status"]) for row in seen] == [("Ana", "assigned"), (None, "pending")]
    assert [(row["client_phone"], row["driver_instructions"]) for row in seen] == [(None, None), (None, None)]


@pytest.mark.parametrize("role", ["driver", "client"])
def test_drivers_and_clients_see_nothing_else_of_the_office(peopled: Trips, role: str) -> None:
    peopled.completed()
    with peopled.as_(role) as connection:
        for relation in (
            "appointments", "trips", "clients", "destinations", "appointment_costs", "appointment_events", "messages",
            "message_templates", "office_settings", "invoices", "client_clinic_times", "clinic_travel_times",
        ):  # fmt: skip
            assert rows_seen(connection, relation) == [], relation
        drivers = connection.execute("select first_name from drivers").fetchall()
        assert drivers == ([{"first_name": "Ana"}] if role == "driver" else [])
        assert connection.execute("select * from private.colleagues()").fetchall() == []


def test_nobody_else_has_trips_of_their_own(own_trips: Trips) -> None:
    own_trips.trip(driver="Ana")
    own_trips.database.all("update users set driver_id = null, client_id = null")
    for role in ROLES:
        with own_trips.as_(role) as connection:
            assert connection.execute("select * from my_trips").fetchall() == []


def test_an_archived_trip_is_nobodys(peopled: Trips) -> None:
    peopled.database.one("select private.archive_appointment(%s)", peopled.trip())
    with peopled.as_("client") as connection:
        assert connection.execute("select * from my_trips").fetchall() == []


# ── Whose login it is ──


def test_a_login_is_one_driver_or_client_and_each_has_one_login(own_trips: Trips) -> None:
    database, people = own_trips.database, own_trips.people
    other = database.person("driver").id
    for arguments, said in (
        ((other, own_trips.drivers["Ana"], None), "BT409: somebody else signs in as this driver or client."),
        ((other, None, own_trips.jane), "BT409: "),
        ((people["booking_agent"].id, own_trips.drivers["Ben"], None), "BT409: this account has another role."),
        ((other, own_trips.jane, None), "BT404: there is no such driver or client."),
        ((own_trips.jane, None, None), "BT404: there is no such user."),
    ):
        with pytest.raises(psycopg.Error) as refused:
            database.all("select private.link_user(%s, %s, %s)", *arguments)
        assert refusal(refused).startswith(said)
    with own_trips.as_("supervisor") as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("select private.link_user(%s, %s)", (other, own_trips.drivers["Ben"]))
    assert refusal(refused).startswith("BT403: only administrators look after users.")


def test_a_driver_who_becomes_an_agent_is_no_longer_that_driver(own_trips: Trips) -> None:
    who = own_trips.people["driver"].id
    own_trips.database.all("update users set role = 'booking_agent' where id = %s", who)
    assert own_trips.database.value("select driver_id from users where id = %s", who) is None


# ── Drivers, destinations, time off, settings ──


@pytest.mark.parametrize("role", ROLES)
def test_drivers_and_destinations_are_kept_by_supervisors(peopled: Trips, role: str) -> None:
    with peopled.as_(role) as connection:
        changed = [
            connection.execute(sql.SQL("update {} set notes = 'x'").format(sql.Identifier(table))).rowcount
            for table in ("drivers", "destinations")
        ]
    assert changed == ([3, 2] if role in SUPERVISORS else [0, 0])
    additions: tuple[LiteralString, ...] = (
        "insert into drivers (first_name, last_name, email) values ('Dee', 'Driver', 'dee@x.test')",
        "insert into destinations (name, address) values ('New', '1 Main St')",
    )
    for statement in additions:
        with peopled.as_(role) as connection:
            if role in SUPERVISORS:
                assert connection.execute(statement).rowcount == 1
            else:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)


_OFF: LiteralString = (
    "insert into driver_time_off (driver_id, start_date, end_date, created_by) values (%s, '2026-12-01', '2026-12-01', %s)"
)


@pytest.mark.parametrize("role", ROLES)
def test_a_driver_enters_their_own_time_off_and_supervisors_anybodys(peopled: Trips, role: str) -> None:
    forged = peopled.people["admin"].id
    for name, driver in peopled.drivers.items():
        may = role in SUPERVISORS or (role == "driver" and name == "Ana")
        with peopled.as_(role) as connection:
            if not may:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(_OFF, (driver, forged))
                continue
            connection.execute(_OFF, (driver, forged))
            signed = connection.execute("select created_by from driver_time_off").fetchall()
            assert signed == [{"created_by": peopled.people[role].id}]
            assert connection.execute("delete from driver_time_off").rowcount == 1


@pytest.mark.parametrize("role", ROLES)
def test_a_client_is_archived_by_supervisors_alone(peopled: Trips, role: str) -> None:
    with peopled.as_(role) as connection:
        if role == "booking_agent":
            assert connection.execute("update clients set status = 'inactive' returning active").fetchone() == {"active": False}
            with pytest.raises(psycopg.Error) as refused:
                connection.execute("update clients set status = 'archived'")
            assert refusal(refused).startswith("BT403: only supervisors archive clients, or take them back.")
        else:
            changed = connection.execute("update clients set status = 'archived'").rowcount
            assert changed == (1 if role in SUPERVISORS else 0)


@pytest.mark.parametrize("role", ROLES)
def test_settings_and_words_are_the_administrators(peopled: Trips, role: str) -> None:
    with peopled.as_(role) as connection:
        seen = {row["key"] for row in connection.execute("select key from office_settings").fetchall()}
        settings = connection.execute(
            "update office_settings set value = %s where key = 'business_name' returning updated_by", (Jsonb("Rides"),)
        ).fetchall()
        words = connection.execute(
            "update message_templates set body = 'Hello' where kind = 'booked' returning updated_by"
        ).fetchall()
    assert ("tax_rate" in seen, "business_name" in seen) == (role in SUPERVISORS, role in STAFF)
    expected = [{"updated_by": peopled.people[role].id}] if role == "admin" else []
    assert (settings, words) == (expected, expected)
