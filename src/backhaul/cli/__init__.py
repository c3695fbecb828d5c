"""The command line: everything that is done to Backhaul without a browser.

One module for each group of commands; `root` is `backhaul` itself, `shared` what they share. A new group is a module with a
`typer.Typer`, and a line here. `backhaul --help` lists them in this order.
"""

from __future__ import annotations

from backhaul.cli import audit, check, data, running, sandbox, tasks, users
from backhaul.cli.root import cli, main

__all__ = ["cli", "main"]

for command in (running.up, running.serve, running.worker, running.migrate, data.import_, data.archive, check.check):
    cli.command(command.__name__.rstrip("_"))(command)
cli.add_typer(tasks.tasks, name="tasks")
cli.add_typer(users.users, name="users")
cli.add_typer(audit.audit, name="audit")
cli.add_typer(sandbox.sandbox, name="sandbox")
