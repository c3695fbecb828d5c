"""Data in and out of the way: clients from a file, old tasks into the archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backhaul.cli.shared import As, Json, out, print_json, progress_bar, say, with_store
from backhaul.core.store import Store
from backhaul.dispatch.clients import importing
from backhaul.dispatch.workflows.archive import BATCH


def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file of clients; columns as in demo/clients.csv.")],
    as_user: As = "agent@demo.test",
    dry_run: Annotated[bool, typer.Option(help="Check every line, save nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Add the clients of a CSV file, each through add-client.

    A line that was saved before is passed over. Ends with 1 if a line was refused; the others are saved all the same.
    """
    rows = importing.read(file)

    async def run(store: Store) -> list[importing.Line]:
        async with importing.acting_as(store, as_user) as by:
            with progress_bar(not as_json) as bar:
                job = bar.add_task("Checking" if dry_run else "Saving", total=len(rows))
                return await importing.import_clients(store, rows, by, dry_run=dry_run, report=lambda _: bar.advance(job))

    lines = with_store(run)
    refused = [line for line in lines if line.state == "refused"]
    if as_json:
        print_json([{"line": line.line, "knumber": line.knumber, "state": line.state, "faults": line.faults} for line in lines])
    else:
        for line in refused:
            say(f"line {line.line} ({line.knumber or 'no K number'}): {'; '.join(line.faults)}")
        saved, there = (sum(line.state == state for line in lines) for state in ("saved", "there already"))
        say(f"{saved} {'would be saved' if dry_run else 'saved'}, {there} there already, {len(refused)} refused")
    if refused:
        raise typer.Exit(1)


def archive(as_json: Json = False) -> None:
    """Archive what is settled and older than a week, now. The same is done each day at 03:00, office time."""

    async def run(store: Store) -> int:
        moved = 0
        with progress_bar(not as_json) as bar:
            job = bar.add_task("Archiving", total=None)
            while batch := (
                await store.call(b"select public.archive_old_tasks(at_most => %(batch)s) as moved", {"batch": BATCH})
            )["moved"]:
                moved += batch
                bar.update(job, completed=moved)
        return moved

    moved = with_store(run)
    if as_json:
        print_json({"archived": moved})
    else:
        out.print(f"{moved} tasks archived")
