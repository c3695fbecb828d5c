"""`backhaul audit`: prove that the audit log is as it was written, look into it, take it away as a file."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.text import Text

from backhaul.cli.shared import Json, new_table, print_json, print_table, progress_bar, say, with_store
from backhaul.core import audit_chain
from backhaul.core.audit import BATCH, AuditLog, Page, Wanted, note_reading
from backhaul.core.audit_chain import Verdict
from backhaul.core.audit_conditions import Conditions
from backhaul.core.audit_csv import as_csv
from backhaul.core.errors import Problem
from backhaul.core.faults import in_words
from backhaul.core.store import Row, Store, Tx
from backhaul.dispatch.records import audit_log
from backhaul.dispatch.workflows import all_of_them

From = Annotated[str | None, typer.Option("--from", metavar="DAY", help="From this day of the office on, as 2026-11-23.")]
To = Annotated[str | None, typer.Option("--to", metavar="DAY", help="Up to this day, included.")]
Who = Annotated[str | None, typer.Option("--who", help="A user's id, or a part of a name.")]
Actions = Annotated[list[str] | None, typer.Option("--action", help="An action, e.g. view_client; may be given again.")]
EntityType = Annotated[str | None, typer.Option("--entity-type", help="A kind of record, e.g. client.")]
EntityId = Annotated[UUID | None, typer.Option("--entity-id", help="A record's id.")]
Refused = Annotated[bool, typer.Option("--refused", help="Only what was tried and not done.")]
Words = Annotated[str | None, typer.Option("--text", help="In the entry, or in the name of the record.")]

audit = typer.Typer(help="The audit log: prove it, look into it, take it away.", no_args_is_help=True)


@audit.command("verify")
def verify(
    since_digest: Annotated[
        str | None, typer.Option(metavar="HEX", help="A digest kept from an earlier check, which the chain must still hold.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that every entry is as it was sealed, and print the last digest. Ends with 1 when one is not, and names it.

    Keep the digest where whoever runs the database cannot change it: only so a chain that was rewritten whole is noticed.
    """
    kept = _digest(since_digest)

    async def run(store: Store) -> Verdict:
        with progress_bar(not as_json) as bar:
            job = bar.add_task("Checking", total=None)
            async with store.service() as tx:
                return await audit_chain.verify(
                    tx, kept=kept, progress=lambda done, total: bar.update(job, completed=done, total=total)
                )

    verdict = with_store(run)
    said = _log().verdict(verdict)
    if as_json:
        print_json(verdict.told() | {"message": said, "since_digest": verdict.kept, "since_seal": verdict.kept_seal})
        raise typer.Exit(0 if verdict.well else 1)
    if not verdict.well:
        raise Problem(
            "The audit log is not as it was sealed",
            said,
            "Change nothing; compare it with a backup. See docs/operations.md, The audit log",
            code="audit.broken",
        )
    say(said)
    if verdict.unsealed:
        say(f"Not sealed yet: {verdict.unsealed}. A worker seals what is new every few seconds.")
    if verdict.kept_seal is not None:
        say(f"The digest that was kept is that of seal {verdict.kept_seal}: all that was sealed until then is still the same.")
    if verdict.digest is not None:
        say(f"Last digest, of seal {verdict.last_seal}; keep it elsewhere: {verdict.digest}")


@audit.command("list")
def audit_list(
    *,
    since: From = None,
    until: To = None,
    who: Who = None,
    action: Actions = None,
    entity_type: EntityType = None,
    entity_id: EntityId = None,
    refused: Refused = False,
    text: Words = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """List entries, newest first. That somebody looked is an entry itself."""
    wanted = _wanted(
        since=since, until=until, who=who, action=action, entity_type=entity_type, entity_id=entity_id, refused=refused, q=text
    )

    async def run(store: Store) -> Page:
        return await _first(store, "view_audit_log", wanted, limit)

    entries = with_store(run).entries
    if as_json:
        print_json(entries)
    elif not entries:
        say("No entries.")
    else:
        table = new_table("no.", "when", "who", "what", "record", "why not")
        for entry in entries:
            table.add_row(*(Text(" ".join(str(value or "").split())) for value in _shown(entry)))
        print_table(table)


@audit.command("export")
def export(
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; otherwise it goes to standard output.")
    ] = None,
    since: From = None,
    until: To = None,
    who: Who = None,
    action: Actions = None,
    entity_type: EntityType = None,
    entity_id: EntityId = None,
    refused: Refused = False,
    text: Words = None,
) -> None:
    """Write entries as CSV, newest first, safe to open in a spreadsheet. That somebody took them is an entry itself."""
    wanted = _wanted(
        since=since, until=until, who=who, action=action, entity_type=entity_type, entity_id=entity_id, refused=refused, q=text
    )

    async def run(store: Store) -> None:
        @asynccontextmanager
        async def transaction() -> AsyncIterator[Tx]:
            async with store.service() as tx:
                yield tx

        log, first = _log(), await _first(store, "export_audit_log", wanted, BATCH)
        with _file(output) as file:
            async for piece in as_csv(log.batches(wanted, first, transaction), log.zone):
                file.write(piece)

    with_store(run)


def _log() -> AuditLog:
    return audit_log(all_of_them())


async def _first(store: Store, action: str, wanted: Wanted, limit: int) -> Page:
    async with store.service() as tx:
        page = await _log().page(tx, wanted, limit=limit)
        await note_reading(tx, action, wanted, None)
    return page


def _wanted(*, since: str | None, until: str | None, action: list[str] | None, **others: object) -> Wanted:
    given = {"from": since, "to": until, "action": action or [], **others}
    try:
        return Conditions.model_validate(given).wanted(_log().zone)
    except ValidationError as error:
        faults = (in_words(".".join(map(str, fault["loc"])), fault) for fault in error.errors())
        raise typer.BadParameter("; ".join(faults)) from None


def _digest(typed: str | None) -> bytes | None:
    if typed is None:
        return None
    try:
        digest = bytes.fromhex(typed)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise typer.BadParameter("It is not the 64 hexadecimal digits of a digest.", param_hint="--since-digest")
    return digest


def _shown(entry: Row) -> tuple[object, ...]:
    when = entry["created_at"].astimezone(_log().zone).strftime("%Y-%m-%d %H:%M:%S")
    record = entry["entity_label"] or (f"{entry['entity_type']} {entry['entity_id'] or ''}" if entry["entity_type"] else "")
    return (entry["seq"], when, entry["user_name"], entry["action_label"], record, entry["error_message"])


def _file(path: Path | None) -> AbstractContextManager[BinaryIO]:
    """For its owner alone: it is full of people."""
    if path is None:
        return nullcontext(sys.stdout.buffer)
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise Problem(f"{path} cannot be written", error.strerror or "", "Choose another file", code="audit.file") from error
