"""The endpoints through which people look after failures, and the stream that tells them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from backhaul.core.errors import Conflict, Forbidden, NotFound, Rejected
from backhaul.core.http import Answer, Asking, person, service_key
from backhaul.core.queries import Queries
from backhaul.core.store import Row, Tx
from backhaul.core.stream import Stream
from backhaul.core.worker import Worker

MOST_FAILURES = 500
SUPERVISORS = ("supervisor", "admin")
Shape = Callable[[Row], dict[str, Any]]

_FIELDS = (
    "id", "entity_type", "entity_id", "entity_label", "task_type", "status", "error_message", "error_hint", "error_code",
    "created_at", "started_at", "completed_at", "created_by", "created_by_name", "dismissed_at", "superseded_by", "attempt",
    "max_attempts", "run_after",
)  # fmt: skip
_sql = Queries("tasks")


class OneTask(BaseModel):
    model_config = ConfigDict(extra="ignore")
    task_id: UUID


class SomeTasks(BaseModel):
    """One task or several."""

    model_config = ConfigDict(extra="ignore")
    task_id: UUID | None = None
    task_ids: list[UUID] = Field(default_factory=list, max_length=MOST_FAILURES)


class Dismissal(BaseModel):
    """Whose failures: one's own, unless everybody's is said in so many words."""

    model_config = ConfigDict(extra="ignore")
    everybody: bool = False


class InternalTask(BaseModel):
    """The task to run; what else callers send is in the task's own row."""

    model_config = ConfigDict(extra="ignore")
    task_id: UUID


def shaper(label: Callable[[str], str]) -> Shape:
    """How a row goes over the wire; `label` says what people call a task type."""

    def shape(row: Row) -> dict[str, Any]:
        return {name: row[name] for name in _FIELDS if name in row} | {"task_label": label(row["task_type"])}

    return shape


def task_endpoints(shape: Shape) -> APIRouter:
    """get-failed-tasks, dismiss-task and kin, for one application."""
    api = APIRouter(tags=["tasks"], default_response_class=Answer)
    _looking(api, shape)
    _acting(api)
    _hearing(api)
    return api


def _looking(api: APIRouter, shape: Shape) -> None:
    @api.get("/webhook/get-failed-tasks")
    async def get_failed_tasks(request: Request, claims: Asking) -> Any:
        """The caller's own failures that nobody has dealt with, newest first."""
        async with person(request, claims) as (tx, _):
            rows = await tx.all(_sql.failed_own, {"user": claims.user_id, "limit": MOST_FAILURES})
        return {"success": True, "data": [shape(row) for row in rows]}

    @api.get("/webhook/get-all-failed-tasks")
    async def get_all_failed_tasks(request: Request, claims: Asking) -> Any:
        """Everybody's, with their names. Supervisors and admins."""
        async with person(request, claims) as (tx, who):
            _supervisors_only(who)
            rows = await tx.all(_sql.failed_all, {"limit": MOST_FAILURES})
        return {"success": True, "data": [shape(row) for row in rows]}

    @api.get("/webhook/get-failed-tasks-summary")
    async def get_failed_tasks_summary(request: Request, claims: Asking) -> Any:
        """How many, whose, since when, and of which causes. Supervisors and admins."""
        async with person(request, claims) as (tx, who):
            _supervisors_only(who)
            summary = await tx.one(_sql.summary) or {}
            causes = await tx.all(_sql.by_cause)
        told = summary | {"by_cause": causes}
        return {"success": True, **told, "data": told}

    @api.get("/webhook/get-task")
    async def get_task(request: Request, claims: Asking, ident: Annotated[UUID, Query(alias="id")]) -> Any:
        """One task whole: its attempts, its finished steps, and the person's action it follows from."""
        async with person(request, claims) as (tx, _):
            task = await tx.one(_sql.by_id, {"id": ident})
            if task is not None:
                attempts = await tx.all(_sql.attempts, {"id": ident})
                steps = await tx.all(_sql.steps, {"id": ident})
            else:
                task = await tx.one(_sql.archived, {"id": ident})
                attempts, steps = (task["attempts"], task["steps"]) if task else ([], [])
            if task is None:
                raise _no_such_task()
            audit = await tx.one(_sql.audit, {"id": task["audit_log_id"]})
        whole = shape(task) | {"args": task["args"], "result": task["result"], "archived_at": task.get("archived_at")}
        return {"success": True, "task": whole, "attempts": attempts, "steps": steps, "audit": audit}


def _acting(api: APIRouter) -> None:
    @api.post("/webhook/dismiss-task")
    async def dismiss_task(request: Request, claims: Asking, body: OneTask) -> Any:
        """Takes a failure off the screen; the row stays, with who dismissed it. One's own; supervisors and admins any."""
        async with person(request, claims) as (tx, _):
            await _move(tx, _sql.dismiss, body.task_id, "This failure cannot be dismissed")
        return {"success": True, "message": "Dismissed", "task_id": body.task_id}

    @api.post("/webhook/undismiss-task")
    async def undismiss_task(request: Request, claims: Asking, body: SomeTasks) -> Any:
        """Takes a dismissal back, of one task or several; those that are not dismissed any more are passed over."""
        # in one order for everybody, so that two such requests never wait for one another crosswise
        wanted = sorted({*body.task_ids, *([body.task_id] if body.task_id else [])})
        if not wanted:
            raise Rejected(
                "No task was named",
                "The request has neither task_id nor task_ids",
                faults=["task_id is required"],
                code="validation",
            )
        async with person(request, claims) as (tx, _):
            moves = [await tx.one(_sql.undismiss, {"task": task_id}) for task_id in wanted]
        taken_back = sum(bool(move and move["changed"]) for move in moves)
        return {"success": True, "message": f"{taken_back} taken back", "undismissed": taken_back}

    @api.post("/webhook/dismiss-all-tasks")
    async def dismiss_all_tasks(request: Request, claims: Asking, body: Dismissal | None = None) -> Any:
        """Dismisses one's own failures, or, for supervisors and admins who say so, everybody's.

        The ids are for taking it back.
        """
        async with person(request, claims) as (tx, _):
            rows = await tx.all(_sql.dismiss_all, {"everybody": body.everybody if body else False})
        ids = [row["id"] for row in rows]
        return {"success": True, "message": f"{len(ids)} dismissed", "dismissed": len(ids), "task_ids": ids}

    @api.post("/webhook/retry-task")
    async def retry_task(request: Request, claims: Asking, body: OneTask) -> Any:
        """Tries a failed task again, from the step that failed. One's own; supervisors and admins any."""
        async with person(request, claims) as (tx, _):
            await _move(tx, _sql.retry, body.task_id, "This task cannot be retried")
        return {"success": True, "message": "Task retry started", "task_id": body.task_id}


def _hearing(api: APIRouter) -> None:
    @api.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def events(request: Request, claims: Asking) -> StreamingResponse:
        """Server-sent events: `hello`, one for each change one may see, named by its kind of record (`task` …), `bye` with why.

        Nothing is sent twice: read the list after connecting.
        """
        async with person(request, claims):
            pass  # a session that has ended gets its 401 before the stream begins
        stream: Stream = request.app.state.stream
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(stream.events(claims), media_type="text/event-stream", headers=headers)


def process_endpoint(api: APIRouter, path: str, task_type: str) -> None:
    """An internal endpoint that runs one named task here and now, as the portal's workflows used to call one another."""

    @api.post(path, dependencies=[Depends(service_key)], name=path.rsplit("/", 1)[-1], tags=["internal"])
    async def process(request: Request, body: InternalTask) -> Any:
        worker: Worker[Any] = request.app.state.worker
        row = await worker.store.call(_sql.kind, {"id": body.task_id})
        if row["task_type"] is None:
            raise _no_such_task()
        if row["task_type"] != task_type:
            raise Conflict(
                f"This endpoint runs {task_type}",
                f"The task named is a {row['task_type']}",
                "Call its own endpoint",
                code="task.other",
            )
        with worker.heartbeat():
            outcome = await worker.work_on(body.task_id)
        if outcome in ("not ours", "gone"):
            raise Conflict(
                "The task is not to be run now", "It runs already, waits, or is done", "Nothing to do", code="task.not_ours"
            )
        return {"success": outcome == "completed", "task_id": body.task_id, "outcome": outcome, "message": f"Task {outcome}"}


async def _move(tx: Tx, query: bytes, task_id: UUID, refused: str) -> None:
    move = await tx.one(query, {"task": task_id})
    if move is None or not move["changed"]:
        raise Conflict(refused, move["reason"] if move else "", "Refresh the list", code="task.not_failed")


def _supervisors_only(who: Row) -> None:
    if who["role"] not in SUPERVISORS:
        raise Forbidden("Only supervisors and admins see everybody's failures", "", "Look at your own", code="role")


def _no_such_task() -> NotFound:
    return NotFound("There is no such task", "It does not exist, or is not yours to see", "Refresh the list", code="task.unknown")
