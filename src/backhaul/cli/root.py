"""`backhaul` itself: its help, its version, and how whatever goes wrong is told."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import psycopg
import typer
from rich.text import Text

from backhaul.cli.shared import err, out
from backhaul.core.errors import Problem

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
_NO_SCHEMA = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn,
)


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
    err.print(Text(problem.what, style="bold red"), soft_wrap=True)
    for line in (problem.why, problem.todo):
        if line:
            err.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _database_problem(error: psycopg.Error) -> Problem:
    if isinstance(error, psycopg.OperationalError):
        return Problem("The database cannot be reached", str(error).strip(), "Check DATABASE_URL, and that the server runs")
    return Problem(
        "The database refused", error.diag.message_primary or type(error).__name__, "See: backhaul check", code="database"
    )


def _say_version(wanted: bool) -> None:
    if wanted:
        out.print(version("backhaul"), highlight=False)
        raise typer.Exit


@cli.callback()
def start(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Before any command; its options are those of `backhaul` itself."""
