"""The command line: everything that is done to Backhaul without a browser."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import psycopg
import typer
from pydantic_core import to_json
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from backhaul import cli_audit
from backhaul.core import logs
from backhaul.core.errors import NotFound, Problem
from backhaul.core.migrations import migrate as apply_migrations
from backhaul.core.parent import end_with_parent
from backhaul.core.queries import Queries
from backhaul.core.share import share
from backhaul.core.store import Row, Store
from backhaul.dispatch import checking, importing
from backhaul.dispatch.api import ask_stand_ins
from backhaul.dispatch.database import Access, database
from backhaul.dispatch.run import serve as serve_forever
from backhaul.dispatch.run import work
from backhaul.dispatch.settings import KEYS, Settings, load
from backhaul.dispatch.up import up as start_all
from backhaul.dispatch.workflows.archive import BATCH

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
As = Annotated[str, typer.Option("--as", metavar="USERNAME", help="The user for whom you act; it is recorded.")]
WithParent = Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)]

cli = typer.Typer(
    name="backhaul",
    help=(
        "Save now, haul the slow work in the background, speak only when something failed.\n\n"
        "Settings come from flags, then the environment, then backhaul.toml under BACKHAUL_HOME, then defaults."
        " See `backhaul check`."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
tasks = typer.Typer(help="Look at background tasks, and look after those that failed.", no_args_is_help=True)
sandbox = typer.Typer(help="The stand-ins for the services outside.", no_args_is_help=True)
cli.add_typer(tasks, name="tasks")
cli.add_typer(sandbox, name="sandbox")
cli.add_typer(cli_audit.audit, name="audit")

_sql = Queries("tasks")
_NO_SCHEMA = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn,
)
_NO_WIDTH = 10_000
_out = Console()
_err = Console(stderr=True)


def main() -> None:
    """Runs the command line; what goes wrong is told in plain words and ends with 1."""
    try:
        cli(prog_name="backhaul")
    except Problem as problem:
        _tell(problem)
    except _NO_SCHEMA:
        _tell(Problem("The database has no schema, or not this version's", "Its tables are not there", "Run: backhaul migrate"))
    except psycopg.Error as error:
        _tell(_database_problem(error))
    sys.exit(1)


def _tell(problem: Problem) -> None:
    _err.print(Text(problem.what, style="bold red"), soft_wrap=True)
    for line in (problem.why, problem.todo):
        if line:
            _err.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _database_problem(error: psycopg.Error) -> Problem:
    if isinstance(error, psycopg.OperationalError):
        return Problem("The database cannot be reached", str(error).strip(), "Check DATABASE_URL, and that the server runs")
    return Problem(
        "The database refused", error.diag.message_primary or type(error).__name__, "See: backhaul check", code="database"
    )


def _say_version(wanted: bool) -> None:
    if wanted:
        _out.print(version("backhaul"), highlight=False)
        raise typer.Exit


@cli.callback()
def start(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Before any command; its options are those of `backhaul` itself."""


# ── Running it ──────────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command()
def up(
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one. [env: BACKHAUL_PORT]")] = None,
    stand_ins: Annotated[
        bool | None, typer.Option(help="Stand-ins in place of Google, Quo, Slack and mail; by default when no key is set.")
    ] = None,
    demo: Annotated[bool | None, typer.Option(help="Demo users and data; by default on the embedded database.")] = None,
) -> None:
    """Start everything: database, schema, API, pages, a worker, and stand-ins where no keys are set. Ctrl-C stops all of it."""
    settings = _settings(port=port, beside_up=False)
    start_all(
        settings,
        stand_ins=not any(settings[name] for name in ("stand_ins", *KEYS)) if stand_ins is None else stand_ins,
        with_demo=(settings["demo"] or not settings["database_url"]) if demo is None else demo,
        say=lambda text: print(text, flush=True),  # noqa: T201  (plain lines, which a script may read)
    )


@cli.command()
def serve(
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one. [env: BACKHAUL_PORT]")] = None,
    until_stdin_closes: WithParent = False,
) -> None:
    """Answer people: the API and the pages. Any number may run; the schema must be there (`backhaul migrate`)."""
    settings = _process(until_stdin_closes, port=port)
    with database(settings) as access:
        serve_forever(settings, access.login, ready=lambda address: _announce("api ready", address))


@cli.command()
def worker(until_stdin_closes: WithParent = False) -> None:
    """Do the slow work. Any number may run, on any machines. SIGTERM finishes what is in hand, and hands the rest back."""
    settings = _process(until_stdin_closes)
    with database(settings) as access:
        asyncio.run(work(settings, access.login, ready=lambda name: _announce("worker ready", name)))


@cli.command()
def migrate(as_json: Json = False) -> None:
    """Bring the database's schema up to date. Safe to run at any time, from any number of machines at once."""
    with database(_settings()) as access:
        applied = apply_migrations(
            access.owner,
            share("supabase", "migrations"),
            report=lambda one: None if as_json else _out.print(f"applied {one.file_name}"),
        )
    if as_json:
        _print_json({"applied": [one.file_name for one in applied]})
    elif not applied:
        _out.print("The schema is up to date.")


# ── Data ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command("import")
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
            with _bar(not as_json) as bar:
                job = bar.add_task("Checking" if dry_run else "Saving", total=len(rows))
                return await importing.import_clients(store, rows, by, dry_run=dry_run, report=lambda _: bar.advance(job))

    lines = _with_store(run)
    refused = [line for line in lines if line.state == "refused"]
    if as_json:
        _print_json([{"line": line.line, "knumber": line.knumber, "state": line.state, "faults": line.faults} for line in lines])
    else:
        for line in refused:
            _say(f"line {line.line} ({line.knumber or 'no K number'}): {'; '.join(line.faults)}")
        saved, there = (sum(line.state == state for line in lines) for state in ("saved", "there already"))
        _say(f"{saved} {'would be saved' if dry_run else 'saved'}, {there} there already, {len(refused)} refused")
    if refused:
        raise typer.Exit(1)


@cli.command()
def archive(as_json: Json = False) -> None:
    """Archive what is settled and older than a week, now. The same is done each day at 03:00, office time."""

    async def run(store: Store) -> int:
        moved = 0
        with _bar(not as_json) as bar:
            job = bar.add_task("Archiving", total=None)
            while batch := (
                await store.call(b"select public.archive_old_tasks(at_most => %(batch)s) as moved", {"batch": BATCH})
            )["moved"]:
                moved += batch
                bar.update(job, completed=moved)
        return moved

    moved = _with_store(run)
    if as_json:
        _print_json({"archived": moved})
    else:
        _out.print(f"{moved} tasks archived")


# ── Tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tasks.command("list")
def tasks_list(
    status: Annotated[str | None, typer.Option(help="pending, processing, completed or failed.")] = None,
    task_type: Annotated[str | None, typer.Option("--type", help="A task type, e.g. sync_quo.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Dismissed and superseded failures too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """List tasks, newest first."""
    if status not in (None, "pending", "processing", "completed", "failed"):
        raise typer.BadParameter("It is none of pending, processing, completed, failed.", param_hint="--status")
    params = {"status": status, "task_type": task_type, "all": everything, "limit": limit}

    async def run(store: Store) -> list[Row]:
        async with store.service() as tx:
            return await tx.all(_sql.list, params)

    rows = _with_store(run)
    if as_json:
        _print_json(rows)
    elif not rows:
        _out.print("No tasks.")
    else:
        table = _table("id", "status", "task", "for", "tries", "asked by", "error")
        for row in rows:
            names = ("id", "status", "task_type", "entity_label", "attempt", "created_by_name", "error_message")
            table.add_row(*(Text(" ".join(str("" if row[name] is None else row[name]).split())) for name in names))
        _print_table(table)


@tasks.command("show")
def tasks_show(task_id: UUID, as_json: Json = False) -> None:
    """Show one task whole: its attempts, its finished steps, and the action it follows from."""

    async def run(store: Store) -> dict[str, Any]:
        async with store.service() as tx:
            task = await tx.one(_sql.by_id, {"id": task_id}) or await tx.one(_sql.archived, {"id": task_id})
            if task is None:
                raise Problem(f"There is no task {task_id}", "", "See `backhaul tasks list --all`")
            return {
                "task": task,
                "attempts": task.get("attempts") or await tx.all(_sql.attempts, {"id": task_id}),
                "steps": task.get("steps") or await tx.all(_sql.steps, {"id": task_id}),
                "audit": await tx.one(_sql.audit, {"id": task["audit_log_id"]}),
            }

    _print_json(_with_store(run), pretty=not as_json)


@tasks.command("retry")
def tasks_retry(task_ids: Annotated[list[UUID], typer.Argument()], as_json: Json = False) -> None:
    """Try failed tasks again, from the step that failed."""
    _move(b"select * from public.retry_background_task(%(task)s)", task_ids, None, "retried", as_json)


@tasks.command("dismiss")
def tasks_dismiss(task_ids: Annotated[list[UUID], typer.Argument()], as_user: As, as_json: Json = False) -> None:
    """Take failures off the screens. The rows stay, with who dismissed them."""
    _move(b"select * from public.dismiss_background_task(%(task)s, %(who)s)", task_ids, as_user, "dismissed", as_json)


# ── Is it well? ─────────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command()
def check(as_json: Json = False) -> None:
    """Show each setting and where it comes from, and ask the database and each outside service whether they answer.

    Ends with 1 if one of them does not.
    """
    settings = _settings()
    with database(settings) as access:
        checks = checking.check_database(access)
        checks += asyncio.run(checking.check_outside(settings))
    if as_json:
        found = [
            {"name": name, "value": one.shown, "source": one.source, "env": one.setting.env}
            for name, one in settings.found.items()
        ]
        _print_json(
            {
                "home": settings.home,
                "settings": found,
                "checks": [{"name": c.name, "ok": c.ok, "what": c.what, "todo": c.todo} for c in checks],
            }
        )
    else:
        table = _table("setting", "value", "from", "what it is")
        table.add_row("home", Text(str(settings.home)), "environment (BACKHAUL_HOME) or default", "Where all state lies")
        for name, one in settings.found.items():
            table.add_row(name, Text(one.shown), Text(one.source), Text(one.setting.help))
        _print_table(table)
        _out.print()
        for one_check in checks:
            mark = {True: "[green]well[/]", False: "[red]not well[/]", None: "[dim]not set[/]"}[one_check.ok]
            _out.print(f"{one_check.name:15} {mark}  ", end="")
            _say(f"{one_check.what}. {one_check.todo}".strip(". "))
    if any(one.ok is False for one in checks):
        raise typer.Exit(1)


@sandbox.command("serve")
def sandbox_serve(port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0) -> None:
    """Run the stand-ins alone; point BACKHAUL_STAND_INS at the address they print."""
    from backhaul.sandbox.__main__ import main as stand_in  # noqa: PLC0415  (a production process never loads the stand-ins)

    raise typer.Exit(stand_in(["--port", str(port), "--home", str(_settings().home / "stand-ins")]))


@sandbox.command("fail")
def sandbox_fail(
    service: Annotated[str, typer.Argument(help="maps, quo, calendar, slack or mail.")],
    fault: Annotated[str, typer.Argument(help="ok, 401, 429, 500, timeout, slow, lost, html …")],
    times: Annotated[int | None, typer.Option(min=1, help="How often; otherwise until told `ok`.")] = None,
) -> None:
    """Make a stand-in fail, or work again (`ok`)."""
    settings = _settings()
    address = settings["stand_ins"]
    if address is None:
        raise Problem(
            "No stand-ins are running here", f"None are known under {settings.home}", "Start them: backhaul up, or sandbox serve"
        )
    order = {"service": service, "fault": fault} | ({"times": times} if times else {})
    _print_json(asyncio.run(ask_stand_ins(address, "POST", order)), pretty=True)


# ── Shared by the commands ──────────────────────────────────────────────────────────────────────────────────────────


def _settings(*, beside_up: bool = True, **flags: Any) -> Settings:
    settings = load({name: None if value is None else str(value) for name, value in flags.items()}, beside_up=beside_up)
    logs.configure(settings["log_level"] if settings["log_level"] != "info" else "warning", pretty=sys.stderr.isatty())
    return settings


def _process(until_stdin_closes: bool, **flags: Any) -> Settings:
    settings = load({name: None if value is None else str(value) for name, value in flags.items()})
    logs.configure(settings["log_level"], pretty=sys.stderr.isatty())
    if until_stdin_closes:
        end_with_parent()
    return settings


def _announce(what: str, where: str) -> None:
    print(f"{what} {where}", flush=True)  # noqa: T201  (the parent process reads this line)


def _with_store(run: Callable[[Store], Awaitable[T]]) -> T:
    async def inner(access: Access) -> T:
        async with _open(access) as store:
            return await run(store)

    with database(_settings()) as access:
        psycopg.connect(access.login, connect_timeout=5).close()  # says at once, and why, what a pool says after its patience
        return asyncio.run(inner(access))


@asynccontextmanager
async def _open(access: Access) -> AsyncIterator[Store]:
    store = Store(access.login, at_least=1, at_most=2)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def _bar(shown: bool) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err, disable=not shown or not _err.is_terminal, transient=True) as bar:
        yield bar


def _move(query: bytes, task_ids: list[UUID], username: str | None, done: str, as_json: bool) -> None:
    async def move(store: Store, task_id: UUID, who: UUID | None) -> Row:
        try:
            return await store.call(query, {"task": task_id, "who": who})
        except NotFound as problem:  # the others are moved all the same
            return {"task_id": task_id, "changed": False, "status": None, "reason": problem.message}

    async def run(store: Store) -> list[Row]:
        who = await importing.user_id(store, username) if username else None
        return [await move(store, task_id, who) for task_id in task_ids]

    moves = _with_store(run)
    if as_json:
        _print_json(moves)
    else:
        for one in moves:
            _say(f"{one['task_id']} {done if one['changed'] else 'unchanged'} {one['reason'] or ''}".strip())
    if not all(one["changed"] for one in moves):
        raise typer.Exit(1)


def _say(line: str) -> None:
    """One line, as it is: neither coloured nor broken."""
    _out.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column in ("id", "setting"), overflow="fold")
    return table


def _print_table(table: Table) -> None:
    """As wide as the terminal; into a pipe or file as wide as it needs, one row to a line."""
    out = _out if _out.is_terminal else Console(width=_NO_WIDTH)
    out.print(table)


def _print_json(value: Any, *, pretty: bool = False) -> None:
    text = to_json(value, indent=2 if pretty else None).decode()
    _out.print(text, markup=False, highlight=False, soft_wrap=True)
