"""The database: a pool, and transactions in somebody's name.

Every transaction runs as somebody. A person's runs as the role `authenticated` with that person's claims, so that row-level
security judges each statement; the house's own (the worker, sign-in, the record of a save) runs as `service_role`. The login
role itself may do neither, so a statement that forgets to say whose it is fails.
"""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, TypeVar, overload
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb, set_json_dumps
from psycopg_pool import AsyncConnectionPool
from pydantic_core import to_json

from backhaul.core.errors import Conflict, Forbidden, NotFound, Problem, Rejected, Unauthenticated

Row = dict[str, Any]
T = TypeVar("T")
_ENTER = b"select * from private.enter(%(user)s, %(session)s)"
Connection = psycopg.AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]

set_json_dumps(to_json)  # UUIDs, dates and models inside jsonb, as everywhere else


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: from the token, checked against the database when their transaction opens. Never from the body."""

    id: UUID
    role: str
    name: str
    session_id: UUID
    ip: str | None = None
    user_agent: str | None = None


class Db(Protocol):
    """What entities ask of a database: a person's transaction, the house's own, or a background run's guarded access."""

    @overload
    async def all(self, query: bytes, params: Mapping[str, Any] | None = None) -> list[Row]: ...
    @overload
    async def all(self, query: bytes, params: Mapping[str, Any] | None = None, *, into: type[T]) -> list[T]: ...
    @overload
    async def one(self, query: bytes, params: Mapping[str, Any] | None = None) -> Row | None: ...
    @overload
    async def one(self, query: bytes, params: Mapping[str, Any] | None = None, *, into: type[T]) -> T | None: ...
    async def run(self, query: bytes, params: Mapping[str, Any] | None = None) -> int: ...


class Tx:
    """One open transaction. Rows come as dicts, or as instances of `into` (a dataclass or model with the columns' names)."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @overload
    async def all(self, query: bytes, params: Mapping[str, Any] | None = None) -> list[Row]: ...
    @overload
    async def all(self, query: bytes, params: Mapping[str, Any] | None = None, *, into: type[T]) -> list[T]: ...
    async def all(self, query: bytes, params: Mapping[str, Any] | None = None, *, into: type[Any] | None = None) -> list[Any]:
        cursor = await self._execute(query, params, into)
        return await cursor.fetchall()

    @overload
    async def one(self, query: bytes, params: Mapping[str, Any] | None = None) -> Row | None: ...
    @overload
    async def one(self, query: bytes, params: Mapping[str, Any] | None = None, *, into: type[T]) -> T | None: ...
    async def one(self, query: bytes, params: Mapping[str, Any] | None = None, *, into: type[Any] | None = None) -> Any:
        cursor = await self._execute(query, params, into)
        return await cursor.fetchone()

    async def run(self, query: bytes, params: Mapping[str, Any] | None = None) -> int:
        """Runs a statement whose rows nobody needs; returns how many it touched."""
        cursor = await self._execute(query, params, None)
        return cursor.rowcount

    async def as_service(self) -> None:
        """From here on this transaction is the house's own: what a person may not write themselves is written for them."""
        await self.connection.execute("set local role service_role")

    async def _execute(self, query: bytes, params: Mapping[str, Any] | None, into: type[Any] | None) -> psycopg.AsyncCursor[Any]:
        rows: Any = dict_row if into is None else class_row(into)
        cursor = self.connection.cursor(row_factory=rows)
        try:
            return await cursor.execute(query, params)
        except psycopg.Error as error:
            raise_meant(error)


class Store:
    """The pool of connections, and the two kinds of transaction.

    dsn: a libpq connection string; the login role must be allowed to become `authenticated` and `service_role`.
    house: every connection is the house's own from the start (a worker's); otherwise each transaction says whose it is.
    pooled: the connections go through a transaction pooler, so nothing may be prepared or kept between transactions.
    """

    def __init__(self, dsn: str, *, at_least: int = 2, at_most: int = 10, house: bool = False, pooled: bool = False) -> None:
        self.dsn = dsn
        self._house = house
        self.pool: Pool = AsyncConnectionPool(
            dsn,
            min_size=at_least,
            max_size=at_most,
            timeout=10,
            open=False,
            configure=_become_service if house else None,
            check=_still_there,
            kwargs={"autocommit": True, "prepare_threshold": None if pooled else 5},
        )

    async def open(self) -> None:
        await self.pool.open()

    async def close(self) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def person(self, user_id: UUID, session_id: UUID) -> AsyncIterator[tuple[Tx, Row]]:
        """A transaction in a person's name, and what the database knows of them: {role, full_name, left_s}.

        left_s: seconds until the session ends if they do nothing.

        Raises: Unauthenticated when the session has ended or the account is disabled.
        """
        async with self._transaction() as tx:
            who = await tx.one(_ENTER, {"user": user_id, "session": session_id})
            if who is None or who["refused"] is not None:
                raise Unauthenticated(
                    who["refused"] if who else "This account is not known.",
                    todo="Please log in again.",
                    code=who["code"] if who else "session.unknown",
                )
            yield tx, who

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Tx]:
        """A transaction of the house's own."""
        async with self._transaction() as tx:
            if not self._house:
                await tx.as_service()
            yield tx

    async def call(self, query: bytes, params: Mapping[str, Any] | None = None) -> Row:
        """One statement of the house's own, in a transaction of its own; returns its one row."""
        if not self._house:
            async with self.service() as tx:
                return await _only_row(tx, query, params)
        async with self.pool.connection() as connection:
            return await _only_row(Tx(connection), query, params)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Tx]:
        try:
            async with self.pool.connection() as connection, connection.transaction():
                yield Tx(connection)
        except psycopg.Error as error:  # a deferred constraint, or a commit that failed
            raise_meant(error)


async def _still_there(connection: Connection) -> None:
    """Whether a connection that lay idle is still alive, so that a restart of the database costs no request.

    Only one that spoke is worth a round trip.
    """
    if spoke(connection):
        await AsyncConnectionPool.check_connection(connection)


def spoke(connection: psycopg.Connection[Any] | Connection) -> bool:
    """Whether an idle connection has something to say. It is silent as a rule; what it says is nearly always its end."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def _become_service(connection: Connection) -> None:
    await connection.execute("set role service_role")


async def _only_row(tx: Tx, query: bytes, params: Mapping[str, Any] | None) -> Row:
    row = await tx.one(query, params)
    if row is None:
        raise LookupError("a statement that always answers with one row answered with none")
    return row


def raise_meant(error: psycopg.Error) -> NoReturn:
    """Raises what the schema meant: an error of its own as the Problem it is, any other as it came."""
    problem = as_problem(error)
    if problem is None:
        raise error
    raise problem from error


def as_problem(error: psycopg.Error) -> Problem | None:
    """The Problem that the schema raised on purpose; None for any other error of the database."""
    kinds: Mapping[str | None, type[Problem]] = {
        "BT400": Rejected,
        "BT403": Forbidden,
        "BT404": NotFound,
        "BT409": Conflict,
        "42501": Forbidden,
    }
    kind = kinds.get(error.sqlstate)
    if kind is None:
        return None
    said = error.diag
    if error.sqlstate == "42501":
        return Forbidden(
            "You may not do this", "Your role does not allow it", "Ask a supervisor or an administrator", code="forbidden"
        )
    problem = kind(_sentence(said.message_primary), said.message_detail or "", said.message_hint or "")
    if said.column_name:  # the schema says at which field of the caller's form the fault is to be shown
        problem.fields = {said.column_name: problem.what}
    return problem


def _sentence(text: str | None) -> str:
    return text[:1].upper() + text[1:] if text else "The database refused"


def jsonb(value: object) -> Jsonb:
    """A value as a jsonb parameter: models, UUIDs and dates inside it are written as JSON writes them."""
    return Jsonb(value)
