"""How an attempt may end, and which of the ledger's functions hears of it with which words."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import structlog

from backhaul.core.errors import Problem, RateLimited
from backhaul.core.limits import OnHold
from backhaul.core.store import Row, jsonb
from backhaul.core.task import Result, Retry, Snooze

UNKNOWN_TYPE_PAUSE_S = 30.0  # times the tries of a task: long enough for all workers to be updated

_COMPLETE = b"select * from public.complete_background_task(%(task)s, %(result)s, %(attempt)s)"
_FAIL = b"""
select * from public.fail_background_task(%(task)s, %(message)s, %(code)s, %(hint)s, %(transient)s, %(retry_after)s, %(attempt)s)
"""
_SNOOZE = b"select * from public.snooze_background_task(%(task)s, %(until)s, %(because)s, %(attempt)s, %(code)s)"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """outcome: the end in a word. statement, said: the function of the ledger, and what it is told beside task and attempt."""

    outcome: str
    statement: bytes
    said: Mapping[str, Any]


class UnknownType(Problem):
    """An older worker met a newer task, or somebody mistyped."""

    code = "task.unknown"

    def __init__(self, task_type: str) -> None:
        super().__init__(
            f'Nobody here knows how to do "{task_type}"',
            "No workflow of this version has a task of that type",
            "Check the spelling, or update the workers; then retry",
        )


def returned(ended: Result | Snooze) -> Ending:
    """Raises nothing: whether the result can be kept shows when it is written."""
    if isinstance(ended, Snooze):
        return _snoozed(ended.until, ended.because, "snoozed")
    return Ending("completed", _COMPLETE, {"result": None if ended is None else jsonb(ended)})


def raised(error: BaseException, row: Row, retry: Retry) -> Ending:
    """row: the task. retry: which errors pass by themselves, by its own account."""
    match error:
        case OnHold():
            return _snoozed(error.until, error.because, error.code)
        case RateLimited():
            return _failed(error, row, isinstance(error, retry.on), error.retry_after)
        case UnknownType():
            return _failed(error, row, True, UNKNOWN_TYPE_PAUSE_S)
        case Problem():
            return _failed(error, row, isinstance(error, retry.on))
        case psycopg.OperationalError():
            return _failed(_database_away(error), row, True)
        case _:
            return _failed(_our_fault(error, row), row, False)


def handed_back() -> Ending:
    """It may run again at once, and what it said before stands."""
    return _snoozed(None, None, None)


def _snoozed(until: object, because: str | None, code: str | None) -> Ending:
    return Ending("snoozed", _SNOOZE, {"until": until, "because": because, "code": code})


def _failed(problem: Problem, row: Row, passes: bool, after_s: float | None = None) -> Ending:
    return Ending(
        "failed",
        _FAIL,
        {
            "message": _text(problem.message) or f"{row['task_type']} failed without a word",
            "code": _text(problem.code),
            "hint": _text(problem.todo),
            "transient": passes,
            "retry_after": None if after_s is None else timedelta(seconds=after_s),
        },
    )


def _database_away(error: psycopg.OperationalError) -> Problem:
    return Problem(
        "Our own database did not answer in time",
        type(error).__name__,
        "Nothing to do; if it goes on, whoever runs Backhaul looks at the database's log",
        code="database.away",
    )


def _our_fault(error: BaseException, row: Row) -> Problem:
    """An error nobody foresaw. Its text goes nowhere: it may hold names, numbers or keys. Its place goes to the log."""
    _log.error("task raised", task_id=str(row["id"]), task_type=row["task_type"], error=_kinds(error), at=_places(error))
    return Problem(
        "Something went wrong inside Backhaul",
        f"{type(error).__name__} in {row['task_type']}",
        f"Tell whoever runs Backhaul, with this number: {row['id']}. Retrying may help",
        code=f"bug.{type(error).__name__}",
    )


def _kinds(error: BaseException) -> str:
    """Its class, and those of what it came from. An error may say that it came from itself."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return " from ".join(type(one).__name__ for one in chain)


def _places(error: BaseException) -> list[str]:
    return [f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_tb(error.__traceback__)]


def _text(text: str) -> str:
    """As Postgres can keep it."""
    return text.replace("\x00", "").strip()
