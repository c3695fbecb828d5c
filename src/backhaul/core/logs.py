"""Structured logs: one JSON object a line, to standard error, without names, telephone numbers or tokens.

An error is logged as its kind and the places it went through. Not its text, which may quote what somebody typed ("Failing row
contains …"), and never the variables around it; of a database's error also the names it carries (its code, table, constraint).
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import structlog

# What people typed never belongs in a log, whoever passes it by mistake.
_PRIVATE = frozenset(
    {
        "name",
        "full_name",
        "firstname",
        "lastname",
        "phone",
        "email",
        "address",
        "username",
        "password",
        "token",
        "access_token",
        "refresh_token",
        "authorization",
        "cookie",
        "headers",
        "secret",
        "link",
        "query",
        "notes",
        "body",
        "args",
    }
)
_MOST_FRAMES = 30


def configure(level: str = "info", *, pretty: bool = False) -> None:
    """Sets up logging for this process. pretty: for a person at a terminal."""
    number = getattr(logging, level.upper())
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_people,
            only_where,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), format="%(message)s", handlers=[_Through()], force=True)


class _Through(logging.Handler):
    """What libraries log goes the same way; of a traceback, the kind of error and where it was."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger(record.name).log(record.levelno, record.getMessage(), **({"exc_info": error} if error else {}))


def without_people(_: Any, __: str, event: Any) -> Any:
    """A processor: what belongs to a person is not written, only that it was there."""
    for name in _PRIVATE & event.keys():
        event[name] = "…"
    return event


def only_where(_: Any, __: str, event: Any) -> Any:
    """A processor: an exception becomes the list of its kind, its causes' kinds, and where each was raised."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["errors"] = [_told(one) for one in _with_causes(error)]
    return event


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _told(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    told: dict[str, Any] = {
        "kind": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "where": [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, psycopg.Error):
        names = {"sqlstate": error.sqlstate, "table": error.diag.table_name, "constraint": error.diag.constraint_name}
        told |= {name: value for name, value in names.items() if value}
    return told


def _short(file: str) -> str:
    """Enough of a path to find the file, without the folders of this machine."""
    return "/".join(Path(file).parts[-3:])
