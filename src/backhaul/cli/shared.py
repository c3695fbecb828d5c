"""What the commands share: settings, a store over the installation's database, and how things are printed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, TypeVar

import psycopg
import typer
from pydantic_core import to_json
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from backhaul.core import logs
from backhaul.core.store import Store
from backhaul.dispatch.database import Access, database
from backhaul.dispatch.settings import Settings, load

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
As = Annotated[str, typer.Option("--as", metavar="USERNAME", help="The user for whom you act; it is recorded.")]

out = Console()
err = Console(stderr=True)

_NO_WIDTH = 10_000


def read_settings(*, beside_up: bool = True, **flags: Any) -> Settings:
    settings = load({name: None if value is None else str(value) for name, value in flags.items()}, beside_up=beside_up)
    logs.configure(settings["log_level"] if settings["log_level"] != "info" else "warning", pretty=sys.stderr.isatty())
    return settings


def with_store(run: Callable[[Store], Awaitable[T]]) -> T:
    async def inner(access: Access) -> T:
        async with _open(access) as store:
            return await run(store)

    with database(read_settings()) as access:
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
def progress_bar(shown: bool) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not shown or not err.is_terminal, transient=True) as bar:
        yield bar


def say(line: str) -> None:
    """One line, as it is: neither coloured nor broken."""
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def new_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column in ("id", "setting"), overflow="fold")
    return table


def print_table(table: Table) -> None:
    """As wide as the terminal; into a pipe or file as wide as it needs, one row to a line."""
    printer = out if out.is_terminal else Console(width=_NO_WIDTH)
    printer.print(table)


def print_json(value: Any, *, pretty: bool = False) -> None:
    text = to_json(value, indent=2 if pretty else None).decode()
    out.print(text, markup=False, highlight=False, soft_wrap=True)
