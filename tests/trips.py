"""An office with a client, three drivers, two clinics, and trips between them, as tests of appointments need it.

`trips` is one for all tests of a file, each in a transaction that is undone: quick, and enough for what the house does alone.
`own_trips` has a database of its own, where people act, threads race and the clock moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString, Protocol
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import ValidationError

from backhaul.core.store import Actor, Row, Tx
from backhaul.core.testing import Database
from backhaul.dispatch.forms import Form, rejected
from backhaul.dispatch.wall_time import read_moment

NINE = read_moment("2026-12-01 09:00")
"""A Tuesday morning at the office, a week ahead of the tests' clock."""


class As(Protocol):
    """A transaction of that person's."""

    def __call__(self, role: str) -> AbstractAsyncContextManager[Tx]: ...


def faults(form: type[Form], sent: object) -> dict[str, str]:
    """What such a form would be refused for, by field."""
    with pytest.raises(ValidationError) as refused:
        form.model_validate(sent)
    return rejected(refused.value, form).fields


class Undone(Database):
    """A database seen through one transaction, which is never committed. A statement that fails leaves it as it was before."""

    def __init__(self, dsn: str, connection: psycopg.Connection[Row]) -> None:
        super().__init__(dsn)
        self.connection = connection

    def all(self, statement: LiteralString, *params: Any) -> list[Row]:
        with self.connection.transaction():
            cursor = self.connection.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []


@dataclass
class Trips:
    """The house's own hand in the database; `as_` is a person's."""

    database: Database
    jane: UUID = field(init=False)
    drivers: dict[str, UUID] = field(init=False)
    clinics: dict[str, UUID] = field(init=False)
    people: dict[str, Actor] = field(init=False)

    def __post_init__(self) -> None:
        put = self.database.value
        self.drivers = {
            name: put(
                "insert into drivers (first_name, last_name, email, phone, gender)"
                " values (%s, 'Driver', %s, %s, %s) returning id",
                name, f"{name}@x.test", f"+1902555010{place}", gender,
            )
            for place, (name, gender) in enumerate((("Ana", "female"), ("Ben", "male"), ("Cem", "male")))
        }  # fmt: skip
        self.clinics = {
            name: put(
                "insert into destinations (name, address, city, province, postal_code)"
                " values (%s, '2 Clinic Rd', %s, 'NS', 'B2N 5A1') returning id",
                name, city,
            )
            for name, city in (("QEII", "Halifax"), ("Colchester", "Truro"))
        }  # fmt: skip
        self.jane = self.client("K1234567", "Jane")
        roles = ("admin", "supervisor", "booking_agent", "driver", "client")
        self.people = {role: self.database.person(role) for role in roles}
        put("select private.link_user(%s, %s)", self.people["driver"].id, self.drivers["Ana"])
        put("select private.link_user(%s, null, %s)", self.people["client"].id, self.jane)

    def client(self, knumber: str, first_name: str) -> UUID:
        made: UUID = self.database.value(
            "insert into clients (knumber, firstname, lastname, phone, civicaddress, city, prov, postalcode, appointment_length)"
            " values (%s, %s, 'Roe', '+19025550123', '1 High St', 'Stewiacke', 'NS', 'B0N 2J0', 60) returning id",
            knumber,
            first_name,
        )
        return made

    def trip(self, at: str | datetime = NINE, driver: str | None = None, **given: Any) -> UUID:
        """A round trip of Jane's to QEII; at: the appointment, as the office writes it."""
        row = {
            "client_id": self.jane,
            "clinic_id": self.clinics["QEII"],
            "appointmenttime": read_moment(at) if isinstance(at, str) else at,
            "driver_assigned": self.drivers[driver] if driver else None,
        } | given
        statement = sql.SQL("insert into appointments ({}) values ({}) returning id").format(
            sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
        )
        with self._connection() as connection:
            made = connection.execute(statement, row).fetchone()
        assert made is not None
        return UUID(str(made["id"]))

    def completed(self, at: str = "2026-11-20 09:00", driver: str = "Ana", rate: float | None = 80, **given: Any) -> UUID:
        """Driven, priced and ready for an invoice."""
        trip = self.trip(at, driver, **given)
        self.set(trip, operation_status="completed")
        self.set(trip, invoice_status="ready")
        if rate is not None:
            self.database.all("insert into appointment_costs (appointment_id, custom_rate) values (%s, %s)", trip, rate)
        return trip

    def set(self, trip: UUID, **changes: Any) -> Row:
        with self._connection() as connection:
            return set_in(connection, trip, **changes)

    def row(self, trip: UUID) -> Row:
        return self.database.one("select * from appointments where id = %s", trip)

    def undone(self, connection: psycopg.Connection[Row]) -> Trips:
        """The same office, seen through a transaction of this connection."""
        seen = copy(self)
        seen.database = Undone(self.database.dsn, connection)
        return seen

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Row]]:
        if isinstance(self.database, Undone):
            with self.database.connection.transaction():
                yield self.database.connection
        else:
            with psycopg.connect(self.database.dsn, autocommit=True, row_factory=dict_row) as connection:
                yield connection

    @contextmanager
    def as_(self, role: str) -> Iterator[psycopg.Connection[Row]]:
        """A transaction of that person's, rolled back at its end."""
        who = self.people[role]
        claims = {"sub": who.id, "session_id": who.session_id, "role": "authenticated"}
        with self.database.acting("authenticated", claims) as connection:
            yield connection
            connection.rollback()

    def keep(self, role: str, statement: LiteralString, *params: Any) -> list[Row]:
        """One statement of that person's, kept."""
        who = self.people[role]
        with self.database.acting("authenticated", {"sub": who.id, "session_id": who.session_id}) as connection:
            cursor = connection.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []


def set_in(connection: psycopg.Connection[Row], trip: UUID, **changes: Any) -> Row:
    """An update by column names, as psql would write it; the row after it. An empty dict where nobody may."""
    pairs = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in changes)
    statement = sql.SQL("update appointments set {} where id = {} returning *").format(pairs, sql.Placeholder("_id"))
    return connection.execute(statement, changes | {"_id": trip}).fetchone() or {}


def refusal(error: pytest.ExceptionInfo[psycopg.Error]) -> str:
    """What a refusal of the schema says, in one line: its code, then message, detail and hint."""
    said = error.value.diag
    parts = (said.message_primary, said.message_detail, said.message_hint)
    return f"{error.value.sqlstate}: " + " ".join(part.rstrip(".") + "." for part in parts if part)
