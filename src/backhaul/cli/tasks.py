"""`backhaul tasks`: look at background tasks, and look after those that failed."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer
from rich.text import Text

from backhaul.cli.shared import As, Json, new_table, out, print_json, print_table, say, with_store
from backhaul.core.errors import NotFound, Problem
from backhaul.core.queries import Queries
from backhaul.core.store import Row, Store
from backhaul.dispatch.clients import importing

tasks = typer.Typer(help="Look at background tasks, and look after those that failed.", no_args_is_help=True)
_sql = Queries("tasks")


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

    rows = with_store(run)
    if as_json:
        print_json(rows)
    elif not rows:
        out.print("No tasks.")
    else:
        table = new_table("id", "status", "task", "for", "tries", "asked by", "error")
        for row in rows:
            names = ("id", "status", "task_type", "entity_label", "attempt", "created_by_name", "error_message")
            table.add_row(*(Text(" ".join(str("" if row[name] is None else row[name]).split())) for name in names))
        print_table(table)


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

    print_json(with_store(run), pretty=not as_json)


@tasks.command("retry")
def tasks_retry(task_ids: Annotated[list[UUID], typer.Argument()], as_json: Json = False) -> None:
    """Try failed tasks again, from the step that failed."""
    _move(b"select * from public.retry_background_task(%(task)s)", task_ids, None, "retried", as_json)


@tasks.command("dismiss")
def tasks_dismiss(task_ids: Annotated[list[UUID], typer.Argument()], as_user: As, as_json: Json = False) -> None:
    """Take failures off the screens. The rows stay, with who dismissed them."""
    _move(b"select * from public.dismiss_background_task(%(task)s, %(who)s)", task_ids, as_user, "dismissed", as_json)


def _move(query: bytes, task_ids: list[UUID], username: str | None, done: str, as_json: bool) -> None:
    async def move(store: Store, task_id: UUID, who: UUID | None) -> Row:
        try:
            return await store.call(query, {"task": task_id, "who": who})
        except NotFound as problem:  # the others are moved all the same
            return {"task_id": task_id, "changed": False, "status": None, "reason": problem.message}

    async def run(store: Store) -> list[Row]:
        who = await importing.user_id(store, username) if username else None
        return [await move(store, task_id, who) for task_id in task_ids]

    moves = with_store(run)
    if as_json:
        print_json(moves)
    else:
        for one in moves:
            say(f"{one['task_id']} {done if one['changed'] else 'unchanged'} {one['reason'] or ''}".strip())
    if not all(one["changed"] for one in moves):
        raise typer.Exit(1)
