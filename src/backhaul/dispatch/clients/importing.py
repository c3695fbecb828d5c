"""Clients from a CSV file, each through add-client: the same checks, the same work in the background."""

from __future__ import annotations

import csv
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import ValidationError

from backhaul.core.errors import Forbidden, NotFound, Problem, Rejected
from backhaul.core.queries import Queries
from backhaul.core.store import Actor, Store
from backhaul.dispatch.clients.forms import NewClient
from backhaul.dispatch.forms import rejected
from backhaul.dispatch.workflows.add_client import add_client

_WHO = b"select (select id from public.users where username = lower(%(username)s) and is_active) as id"
_OPEN = b"select private.open_session(%(user)s, %(token)s, interval '1 hour', 'backhaul import', null) as id"
_CLOSE = b"select private.end_session(%(session)s, 'the import is done')"
_ROLE = b"select (select role from public.users where id = %(user)s) as role"

_clients = Queries("clients")

State = Literal["saved", "there already", "refused"]


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one line of the file. line: as an editor counts it, the heading being line 1."""

    line: int
    knumber: str
    state: State
    faults: list[str] = field(default_factory=list)


Rows = list[tuple[int, dict[str, Any]]]


def read(file: Path) -> Rows:
    """The rows by line number.

    Raises: Rejected when the file cannot be read, is empty, or its headings are not those of clients.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            _check_headings(file, reader.fieldnames or ())
            return list(_rows(file, reader))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Rejected(f"{file} cannot be read", str(error), "Give a CSV file in UTF-8, with commas") from error


def _rows(file: Path, reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for row in reader:
        if None in row or any(value is None for value in row.values()):
            raise Rejected(
                f"Line {reader.line_num} of {file.name} has another number of columns than the heading",
                "",
                "Look for a comma outside quotes",
            )
        yield reader.line_num - sum(value.count("\n") for value in row.values()), row  # where it begins, not where it ends


def _check_headings(file: Path, headings: Sequence[str]) -> None:
    if not any(heading.strip() for heading in headings):
        raise Rejected(f"{file.name} is empty", "It has no line of headings", "Name the columns as in demo/clients.csv")
    spellings = NewClient.spellings()
    fields = [spellings.get(heading, "") for heading in headings]
    if "kNumber" not in fields:
        raise Rejected(
            f"{file.name} has no column kNumber",
            f"Its headings are: {', '.join(headings)}",
            "Name the columns as in demo/clients.csv, with commas between them",
        )
    if strange := sorted(heading for heading, field in zip(headings, fields, strict=True) if not field):
        raise Rejected(
            f"{file.name} has columns nobody knows: {', '.join(strange)}",
            "They may be misspelt",
            f"Known are: {', '.join(sorted(set(spellings.values())))}",
        )
    if twice := sorted({field for field in fields if fields.count(field) > 1}):
        raise Rejected(f"{file.name} has two columns for {', '.join(twice)}", "", "Leave one of them out")


async def import_clients(
    store: Store,
    rows: Rows,
    by: Actor,
    *,
    dry_run: bool = False,
    report: Callable[[Line], object] = lambda _: None,
) -> list[Line]:
    """Adds each client in a commit of its own. Safe to repeat: a line saved before is there already.

    dry_run: looks at everything a save would look at, and saves nothing. Raises: Forbidden when `by` may not add clients.
    """
    if by.role not in add_client.allow:
        raise Forbidden(
            f"{by.name} may not add clients",
            f"It takes one of these roles: {', '.join(sorted(add_client.allow))}",
            "Name somebody else with --as",
        )
    outcome: list[Line] = []
    names: dict[str, str] = {}  # of the lines that a dry run did not save, by K number
    for number, row in rows:
        line = await _one(store, number, row, by, names if dry_run else None)
        report(line)
        outcome.append(line)
    return outcome


async def _one(store: Store, number: int, row: dict[str, Any], by: Actor, names: dict[str, str] | None) -> Line:
    try:
        form = NewClient.model_validate(row)
    except ValidationError as error:
        return Line(number, row.get("kNumber") or row.get("knumber") or "", "refused", rejected(error, NewClient).faults)
    if names is not None:
        return await _would_be(store, number, form, by, names)
    key = sha256(form.model_dump_json().encode()).hexdigest()
    try:
        reply = await add_client.submit(store, form, by, key=f"import:{key}")
    except Problem as problem:
        if problem.code != "client.knumber_taken":
            return Line(number, form.knumber, "refused", [str(problem)])
        return _beside(number, form, await _holder(store, form.knumber, by))
    return Line(number, form.knumber, "there already" if reply.repeated else "saved")


async def _would_be(store: Store, number: int, form: NewClient, by: Actor, names: dict[str, str]) -> Line:
    holder = names.get(form.knumber) or await _holder(store, form.knumber, by)
    if holder is not None:
        return _beside(number, form, holder)
    names[form.knumber] = form.full_name
    return Line(number, form.knumber, "saved")


async def _holder(store: Store, knumber: str, by: Actor) -> str | None:
    """The name of the client who has this K number."""
    async with store.person(by.id, by.session_id) as (tx, _):
        row = await tx.one(_clients.holder_of_knumber, {"knumber": knumber})
    return None if row is None else str(row["full_name"])


def _beside(number: int, form: NewClient, holder: str | None) -> Line:
    """A line whose K number is taken: by the same client, who is there already, or by somebody else."""
    if holder is not None and holder.casefold() == form.full_name.casefold():
        return Line(number, form.knumber, "there already")
    return Line(
        number, form.knumber, "refused", [f"K number {form.knumber} belongs to {holder or 'somebody else'}. Check the number"]
    )


@asynccontextmanager
async def acting_as(store: Store, username: str) -> AsyncIterator[Actor]:
    """A short session of a user's, for the command line: whoever may run it has the database's keys. Raises: NotFound."""
    who = await user_id(store, username)
    session_id = (await store.call(_OPEN, {"user": who, "token": secrets.token_bytes(32)}))["id"]
    role = (await store.call(_ROLE, {"user": who}))["role"]
    try:
        yield Actor(who, role, username, session_id, None, "backhaul import")
    finally:
        await store.call(_CLOSE, {"session": session_id})


async def user_id(store: Store, username: str) -> UUID:
    """The user for whom somebody at the command line acts. Raises: NotFound."""
    found: UUID | None = (await store.call(_WHO, {"username": username}))["id"]
    if found is None:
        raise NotFound(
            f"There is no active user {username}",
            "",
            "Say with --as for whom you act; the demo has agent@demo.test",
            code="user.unknown",
        )
    return found
