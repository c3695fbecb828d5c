"""Running it: the whole product, its two processes alone, and the schema they need."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from backhaul.cli.shared import Json, out, print_json, read_settings
from backhaul.core import logs
from backhaul.core.migrations import migrate as apply_migrations
from backhaul.core.parent import end_with_parent
from backhaul.core.share import share
from backhaul.dispatch.database import database
from backhaul.dispatch.setting_list import KEYS
from backhaul.dispatch.settings import Settings, load
from backhaul.dispatch.up import up as start_all
from backhaul.dispatch.working import work

WithParent = Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)]


def up(
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one. [env: BACKHAUL_PORT]")] = None,
    stand_ins: Annotated[
        bool | None, typer.Option(help="Stand-ins in place of Google, Quo, Slack and mail; by default when no key is set.")
    ] = None,
    demo: Annotated[bool | None, typer.Option(help="Demo users and data; by default on the embedded database.")] = None,
) -> None:
    """Start everything: database, schema, API, pages, a worker, and stand-ins where no keys are set. Ctrl-C stops all of it."""
    settings = read_settings(port=port, beside_up=False)
    start_all(
        settings,
        stand_ins=not any(settings[name] for name in ("stand_ins", *KEYS)) if stand_ins is None else stand_ins,
        with_demo=(settings["demo"] or not settings["database_url"]) if demo is None else demo,
        say=lambda text: print(text, flush=True),  # noqa: T201  (plain lines, which a script may read)
    )


def serve(
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one. [env: BACKHAUL_PORT]")] = None,
    until_stdin_closes: WithParent = False,
) -> None:
    """Answer people: the API and the pages. Any number may run; the schema must be there (`backhaul migrate`)."""
    from backhaul.dispatch.serving import serve as serve_forever  # noqa: PLC0415  (a worker has no use for the web)

    settings = _process(until_stdin_closes, port=port)
    with database(settings) as access:
        serve_forever(settings, access.login, ready=lambda address: _announce("api ready", address))


def worker(until_stdin_closes: WithParent = False) -> None:
    """Do the slow work. Any number may run, on any machines. SIGTERM finishes what is in hand, and hands the rest back."""
    settings = _process(until_stdin_closes)
    with database(settings) as access:
        asyncio.run(work(settings, access.login, ready=lambda name: _announce("worker ready", name)))


def migrate(as_json: Json = False) -> None:
    """Bring the database's schema up to date. Safe to run at any time, from any number of machines at once."""
    with database(read_settings()) as access:
        applied = apply_migrations(
            access.owner,
            share("supabase", "migrations"),
            report=lambda one: None if as_json else out.print(f"applied {one.file_name}"),
        )
    if as_json:
        print_json({"applied": [one.file_name for one in applied]})
    elif not applied:
        out.print("The schema is up to date.")


def _process(until_stdin_closes: bool, **flags: Any) -> Settings:
    settings = load({name: None if value is None else str(value) for name, value in flags.items()})
    logs.configure(settings["log_level"], pretty=sys.stderr.isatty())
    if until_stdin_closes:
        end_with_parent()
    return settings


def _announce(what: str, where: str) -> None:
    print(f"{what} {where}", flush=True)  # noqa: T201  (the parent process reads this line)
