"""`backhaul check`: each setting and where it comes from, and does everything answer?"""

from __future__ import annotations

import asyncio

import typer
from rich.text import Text

from backhaul.cli.shared import Json, new_table, out, print_json, print_table, read_settings, say
from backhaul.dispatch import checking
from backhaul.dispatch.database import database


def check(as_json: Json = False) -> None:
    """Show each setting and where it comes from, and ask the database and each outside service whether they answer.

    Ends with 1 if one of them does not.
    """
    settings = read_settings()
    with database(settings) as access:
        checks = checking.check_database(access)
        checks += asyncio.run(checking.check_outside(settings))
    if as_json:
        found = [
            {"name": name, "value": one.shown, "source": one.source, "env": one.setting.env}
            for name, one in settings.found.items()
        ]
        print_json(
            {
                "home": settings.home,
                "settings": found,
                "checks": [{"name": c.name, "ok": c.ok, "what": c.what, "todo": c.todo} for c in checks],
            }
        )
    else:
        table = new_table("setting", "value", "from", "what it is")
        table.add_row("home", Text(str(settings.home)), "environment (BACKHAUL_HOME) or default", "Where all state lies")
        for name, one in settings.found.items():
            table.add_row(name, Text(one.shown), Text(one.source), Text(one.setting.help))
        print_table(table)
        out.print()
        for one_check in checks:
            mark = {True: "[green]well[/]", False: "[red]not well[/]", None: "[dim]not set[/]"}[one_check.ok]
            out.print(f"{one_check.name:15} {mark}  ", end="")
            say(f"{one_check.what}. {one_check.todo}".strip(". "))
    if any(one.ok is False for one in checks):
        raise typer.Exit(1)
