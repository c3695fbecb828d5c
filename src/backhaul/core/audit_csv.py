"""Entries of the audit log as CSV for a spreadsheet: RFC 4180, readable by Excel, and never a formula.

A spreadsheet runs what begins like a formula, also in a file that somebody only wanted to read (ASVS 5.0, 1.2.10). Every cell
here is text: one that begins with = + - @ (full-width ones included), a tab or a line break gets an apostrophe before it. So does
what follows a semicolon, tab or line break within a cell and begins like that: where Excel takes the semicolon for the separator,
a file with commas falls apart there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from backhaul.core.store import Row

BOM = "\ufeff"  # by which Excel knows that the file is UTF-8
HEADINGS = (
    "No.", "Time ({zone})", "Time (UTC)", "Who", "Role", "User id", "What", "Action", "Record type", "Record", "Record id",
    "Done", "Why not", "Details", "Work that followed", "Address", "Browser",
)  # fmt: skip

_UNSEEN = r"\s\"'\u00ad\u200b-\u200f\u2060\ufeff"
_FORMULA = re.compile(rf"(?<=[;\t\r\n])(?=[{_UNSEEN}]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_BEGINS_AS_ONE = re.compile(rf"[\t\r\n]|[{_UNSEEN}]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def cell(value: object) -> str:
    """A value as a cell that no spreadsheet takes for a formula."""
    text = _FORMULA.sub("'", "" if value is None else str(value))
    return f"'{text}" if _BEGINS_AS_ONE.match(text) else text


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Rows as the lines of a file, every cell in quotes."""
    file = StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows([cell(value) for value in row] for row in rows)
    return file.getvalue()


async def as_csv(batches: AsyncIterator[list[Row]], zone: ZoneInfo) -> AsyncIterator[bytes]:
    """A whole file, piece by piece. batches: entries as AuditLog.page gives them."""
    yield (BOM + lines([[heading.format(zone=zone) for heading in HEADINGS]])).encode()
    async for entries in batches:
        yield lines(_cells(entry, zone) for entry in entries).encode()


def _cells(entry: Row, zone: ZoneInfo) -> list[Any]:
    at = entry["created_at"]
    return [
        entry["seq"],
        at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        entry["user_name"],
        entry["role"],
        entry["user_id"],
        entry["action_label"],
        entry["action"],
        entry["entity_type"],
        entry["entity_label"],
        entry["entity_id"],
        "yes" if entry["success"] else "no",
        entry["error_message"],
        to_json(entry["details"]).decode() if entry["details"] else "",
        "; ".join(f"{task['task_label']}: {task['status']}" for task in entry["tasks"]),
        entry["ip_address"],
        entry["user_agent"],
    ]
