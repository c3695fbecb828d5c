"""The daily archive: what is settled and a week old moves out of the way; an undealt-with failure stays until somebody acts.

Nobody clicks for this: the schedule in private.schedules asks for it each day at the office's 03:00.
"""

from __future__ import annotations

from typing import Any

from backhaul.core.store import Db
from backhaul.core.task import Retry, Run
from backhaul.dispatch.office import Office, workflows

BATCH = 1000  # rows moved in one commit, so that no lock is held for long
_ARCHIVE = b"select public.archive_old_tasks(at_most => %(batch)s) as moved"
_PRUNE = b"select private.prune_clicks() + private.prune_sessions() + private.prune_accounts() as gone"


@workflows.task(retry=Retry(attempts=5), label="Daily archive")
async def archive_old_tasks(run: Run[Office]) -> dict[str, Any]:
    """Archives in small commits, throws away what nobody needs any more, and tells the office's channel how much it was."""

    async def archive() -> int:
        return await archive_all(run.db)

    moved = await run.step("archive", archive)
    await run.db.one(_PRUNE)
    if run.office.notices is not None:
        await run.step(
            "tell Slack", run.office.notices.post, f"Backhaul archived {moved} finished tasks (archive {run.task_id})."
        )
    return {"archived": moved}


async def archive_all(db: Db) -> int:
    """Archives batch by batch until nothing is left to move; returns how many rows were moved."""
    moved = 0
    while (batch := ((await db.one(_ARCHIVE, {"batch": BATCH})) or {"moved": 0})["moved"]) > 0:
        moved += batch
    return moved
