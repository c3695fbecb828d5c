"""The daily check of the audit log: the whole chain is walked, and whoever looks after it hears when it is broken.

Nobody clicks for this: the schedule in private.schedules asks for it each day at the office's 04:00. Each part of the walk is a
statement of its own that only reads, so nobody who writes waits for it. A whole chain's digest goes to the office's channel:
kept there, out of the database's reach, it proves later that the chain was not rewritten.
"""

from __future__ import annotations

from typing import Any

from backhaul.core import audit_chain
from backhaul.core.audit_chain import Verdict
from backhaul.core.errors import OutsideProblem, Problem
from backhaul.core.task import Retry, Run
from backhaul.dispatch.office import Office, workflows

SCHEDULE = "audit check"


@workflows.task(retry=Retry(attempts=5), label="Daily audit check")
async def verify_audit_log(run: Run[Office]) -> dict[str, Any]:
    """Raises: Problem, which names the first broken entry by its number alone: not all who see the failure may read the log."""

    # No step: a retry walks anew, since what is said of the chain must be true when it is said.
    verdict = await audit_chain.daily(run.db)
    if not verdict.well:
        raise await _broken(run, verdict)
    found = {"entries": verdict.sealed, "last_seal": verdict.last_seal, "digest": verdict.digest}
    if run.office.notices is not None:
        await run.step("tell Slack", run.office.notices.post, _whole(run, found))
    return found


def _whole(run: Run[Office], found: dict[str, Any]) -> str:
    digest = f" Digest of seal {found['last_seal']}: {found['digest']}" if found["digest"] else ""
    return f"Backhaul checked the audit log: all is as it was sealed, {found['entries']} entries.{digest} (check {run.task_id})."


async def _broken(run: Run[Office], verdict: Verdict) -> Problem:
    """What is to be said of a broken chain, in the failed task and in the channel. A channel out of reach must not hide it."""
    broken = verdict.broken
    what = "The audit log is not as it was sealed"
    if broken is not None:
        what += f": the first broken entry is no. {broken.seq}" if broken.seq else ": a seal stands for no entry"
    why = broken.why if broken is not None else audit_chain.REWRITTEN
    if run.office.notices is not None:
        try:
            await run.office.notices.post(f"Backhaul: {what}. {why} An administrator acts now (check {run.task_id}).")
        except OutsideProblem as problem:
            why += f" The office's channel could not be told: {problem.message}"
    todo = "Change nothing. An administrator compares it with a backup: docs/operations.md, The audit log. Then retry this"
    return Problem(what, why, todo, code="audit.broken")
