"""/health/live, /health/ready and /metrics: is it alive, can it do its work, and how much of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psycopg
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from backhaul.core.doors import PUBLIC, limited
from backhaul.core.errors import Problem
from backhaul.core.http import Answer
from backhaul.core.migrations import compare, find
from backhaul.core.queries import Queries
from backhaul.core.store import Row, Store
from backhaul.core.stream import Stream

LATE_S = 60.0  # a due task that waits longer than this says that nobody works
PATIENCE_S = 3.0  # whoever asks after our health is not kept waiting for a database that does not answer

_sql = Queries("tasks")
_APPLIED = b"select private.applied_migrations() as version"
_TASKS = Gauge("backhaul_tasks", "Tasks in the ledger, by status; failed ones that nobody has dealt with", ["status"])
_OLDEST = Gauge("backhaul_oldest_due_seconds", "How long the oldest due task has been waiting")
_WORKERS = Gauge("backhaul_workers", "Workers alive")
_HELD = Gauge("backhaul_services_on_hold", "Outside services on hold")
_PAGES = Gauge("backhaul_open_pages", "Open event streams of this process")
_DATABASE = Gauge("backhaul_database_up", "1 when the database answers; otherwise the figures above are the last known")


def health_endpoints(migrations: Path) -> APIRouter:
    api = APIRouter(tags=["health"], default_response_class=Answer)
    counted = [Depends(limited(PUBLIC))]  # not whether we live: that asks nobody, and must be answered whatever else is down

    @api.get("/health/live")
    async def live() -> Any:
        """This process answers."""
        return {"ok": True}

    @api.get(
        "/health/ready",
        dependencies=counted,
        responses={503: {"description": "Something is not well; `checks` says what, and what to do"}},
    )
    async def ready(request: Request) -> Response:
        """Database, migrations, workers, the oldest due task: each check says what is wrong and what to do.

        503 unless all are well.
        """
        checks = await _checks(request, migrations)
        well = all(check["ok"] for check in checks.values())
        return Answer({"ok": well, "checks": checks}, 200 if well else 503)

    @api.get("/metrics", dependencies=counted)
    async def metrics(request: Request) -> Response:
        """Figures for Prometheus."""
        stream: Stream = request.app.state.stream
        _PAGES.set(stream.open_pages)
        try:
            async with asyncio.timeout(PATIENCE_S):
                _gauge(await request.app.state.store.call(_sql.vital_signs))
        except (psycopg.Error, Problem, TimeoutError):
            _DATABASE.set(0)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return api


def _gauge(signs: Row) -> None:
    _DATABASE.set(1)
    for status in ("pending", "processing", "failed"):
        _TASKS.labels(status).set(signs[status])
    _OLDEST.set(signs["oldest_due_s"] or 0)
    _WORKERS.set(signs["workers"])
    _HELD.set(len(signs["held"]))


async def _checks(request: Request, migrations: Path) -> dict[str, Row]:
    store: Store = request.app.state.store
    stream: Stream = request.app.state.stream
    try:
        async with asyncio.timeout(PATIENCE_S):
            applied = await _applied(store)
            signs = await store.call(_sql.vital_signs) if applied is not None else None
    except (psycopg.Error, Problem, TimeoutError) as error:
        why = error.message if isinstance(error, Problem) else type(error).__name__
        return {
            "database": _check(False, f"It cannot be asked: {why}", "It is tried again by itself; look at the database's log")
        }
    checks = {"database": _check(True, "It answers"), "migrations": _migrations(applied or set(), migrations)}
    if signs is not None:
        checks |= _work(signs)
    return checks | {
        "stream": _check(
            stream.listening,
            "It listens" if stream.listening else "It does not hear the database",
            "It reconnects by itself; pages poll meanwhile",
        )
    }


async def _applied(store: Store) -> set[str] | None:
    """The migrations of this database; None when our schema is not there at all."""
    try:
        async with store.service() as tx:
            return {row["version"] for row in await tx.all(_APPLIED)}
    except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
        return None


def _migrations(applied: Collection[str], migrations: Path) -> Row:
    where = compare(set(applied), find(migrations))
    if where.up_to_date:
        return _check(True, "The schema is today's")
    return _check(
        False,
        f"{len(where.pending)} to apply, {len(where.unknown)} unknown to this version",
        "Run: backhaul migrate" if where.pending else "Update this program",
    )


def _work(signs: Row) -> dict[str, Row]:
    waiting, held = signs["oldest_due_s"] or 0.0, [hold["service"] for hold in signs["held"]]
    return {
        "workers": _check(signs["workers"] > 0, f"{signs['workers']} alive", "Start one: backhaul worker"),
        "queue": _check(
            waiting < LATE_S,
            f"The oldest due task has waited {waiting:.0f} s",
            "Start more workers, or see in their log what holds them up",
        ),
        "services": _check(True, f"on hold: {', '.join(held)}" if held else "none on hold") | {"held": signs["held"]},
    }


def _check(ok: bool, what: str, todo: str = "") -> Row:
    return {"ok": ok, "what": what} | ({} if ok else {"todo": todo})
