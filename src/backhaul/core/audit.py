"""Reading the audit log: which entries are wanted, and what they are called. Whoever reads is written down in it as well.

The log knows ids and verbs. What people call a record, an action or a task is told by the application, as `Names`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from backhaul.core.audit_chain import Verdict, in_words
from backhaul.core.audit_words import Say
from backhaul.core.queries import Queries
from backhaul.core.store import Actor, Db, Row, Tx, jsonb

BATCH = 1000  # entries read at once for a download

_NOTE = b"""
select private.write_audit(%(action)s, %(entity_type)s, %(entity_id)s, %(user)s, %(details)s, %(ip)s, %(agent)s)
"""
_sql = Queries("audit")


@dataclass(frozen=True, slots=True)
class Names:
    """What an application calls things. actions: those it knows how to say.

    labels: the names of the records with these ids, where they still exist. named: the ids of records that a word is in the name
    of; it comes ready for `ilike`. belonging: the records that are a part of this one, by kind and id.
    """

    actions: Collection[str]
    action: Say
    task: Say
    labels: Callable[[Db, Sequence[UUID]], Awaitable[Mapping[UUID, str]]]
    named: Callable[[Db, str], Awaitable[Sequence[UUID]]]
    belonging: Callable[[Db, str, UUID], Awaitable[Sequence[tuple[str, UUID]]]]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose record of activity is asked for: a user's, or a record's of the application. label: None for one that is gone."""

    type: str
    id: UUID
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The entries that all of these let through; what is not given lets everything through.

    since, until: from this moment on, and before that one. name: a part of who did it. words: anywhere in the entry.
    """

    since: datetime | None = None
    until: datetime | None = None
    who: UUID | None = None
    name: str | None = None
    actions: Sequence[str] = ()
    entity_type: str | None = None
    entity_id: UUID | None = None
    refused: bool = False
    words: str | None = None
    about: Subject | None = None

    def noted(self) -> dict[str, Any]:
        """What the log says of these conditions: never what was typed, for those may be names."""
        told: dict[str, Any] = {
            "from": self.since,
            "before": self.until,
            "user_id": self.who,
            "actions": list(self.actions),
            "entity_type": self.entity_type,
            "entity_id": self.entity_id,
            "only_refused": self.refused,
            "part_of_a_name": bool(self.name),
            "words": bool(self.words),
        }
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first. next: the number before which the following page begins; None on the last."""

    entries: list[Row]
    next: int | None


class AuditLog:
    """The log as one application's people read it. zone: in which they count their days."""

    def __init__(self, names: Names, zone: ZoneInfo) -> None:
        self.names = names
        self.zone = zone

    async def page(self, db: Db, wanted: Wanted, *, before: int | None = None, limit: int = 50) -> Page:
        """One page, each entry with the names of what it is about and the work that followed from it."""
        conditions, params = await self._conditions(db, wanted)
        if before is not None:
            conditions.append(_sql.where_before)
        query = _sql.entries + (b"\n where " + b"\n   and ".join(conditions) if conditions else b"") + b"\n " + _sql.newest
        rows = await db.all(query, {**params, "before": before, "limit": limit + 1})
        following = rows[limit - 1]["seq"] if len(rows) > limit else None
        return Page(await self._told(db, rows[:limit]), following)

    async def batches(
        self, wanted: Wanted, first: Page, transaction: Callable[[], AbstractAsyncContextManager[Tx]]
    ) -> AsyncIterator[list[Row]]:
        """All that is wanted, from the first page on; each further batch in a transaction of its own.

        So a long log is neither held in memory nor kept open. What is written meanwhile is newer than the first page.
        """
        page = first
        yield page.entries
        while page.next is not None:
            async with transaction() as tx:
                page = await self.page(tx, wanted, before=page.next, limit=BATCH)
            yield page.entries

    async def subject(self, db: Db, kind: str, ident: UUID) -> Subject:
        return Subject(kind, ident, (await self._labels(db, [(kind, ident)])).get(ident))

    async def actions(self, db: Db) -> list[dict[str, str]]:
        """Every action that is in the log or could be, in the order of what it is called."""
        there = {row["action"] for row in await db.all(_sql.actions)}
        said = ({"action": action, "label": self.names.action(action)} for action in there | set(self.names.actions))
        return sorted(said, key=lambda one: (one["label"].casefold(), one["action"]))

    def verdict(self, verdict: Verdict) -> str:
        """What a walk of the chain found, in words."""
        return in_words(
            verdict, when=lambda moment: f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}", action=self.names.action
        )

    async def _conditions(self, db: Db, wanted: Wanted) -> tuple[list[bytes], dict[str, Any]]:
        params: dict[str, Any] = {
            "since": wanted.since,
            "until": wanted.until,
            "who": wanted.who,
            "actions": list(wanted.actions),
            "entity_type": wanted.entity_type,
            "entity_id": wanted.entity_id,
        }
        conditions = [getattr(_sql, f"where_{name}") for name, value in params.items() if value]
        if wanted.refused:
            conditions.append(_sql.where_refused)
        if wanted.name:
            params |= await db.one(_sql.names, {"name": anywhere(wanted.name)}) or {}
            conditions.append(_sql.where_name)
        if wanted.words:
            words = anywhere(wanted.words)
            params |= {"words": words, "named_records": list(await self.names.named(db, words))}
            conditions.append(_sql.where_words)
        if wanted.about and wanted.about.type == "user":
            params["about"] = wanted.about.id
            conditions.append(_sql.where_about_user)
        elif wanted.about:
            subject = (wanted.about.type, wanted.about.id)
            about = [subject, *await self.names.belonging(db, *subject)]
            params |= {"about_types": sorted({kind for kind, _ in about}), "about_ids": [ident for _, ident in about]}
            conditions.append(_sql.where_about_record)
        return conditions, params

    async def _told(self, db: Db, rows: list[Row]) -> list[Row]:
        labels = await self._labels(db, [(row["entity_type"], row["entity_id"]) for row in rows if row["entity_id"]])
        people = await self._people(db, [row["user_id"] for row in rows if row["user_id"]])
        work: dict[UUID, list[Row]] = {}
        for task in await db.all(_sql.work_after, {"ids": [row["id"] for row in rows]}):
            told = {"id": task["id"], "task_type": task["task_type"], "status": task["status"]}
            work.setdefault(task["audit_log_id"], []).append(told | {"task_label": self.names.task(task["task_type"])})
        for row in rows:
            row["action_label"] = self.names.action(row["action"])
            row["entity_label"] = labels.get(row["entity_id"])
            row["user_name_now"] = people.get(row["user_id"])
            row["tasks"] = work.get(row["id"], [])
        return rows

    async def _labels(self, db: Db, records: Sequence[tuple[str | None, UUID]]) -> dict[UUID, str]:
        ids = sorted({ident for kind, ident in records if kind not in ("user", "background_task")})
        labels = dict(await self.names.labels(db, ids)) if ids else {}
        labels |= await self._people(db, [ident for kind, ident in records if kind == "user"])
        tasks = [ident for kind, ident in records if kind == "background_task"]
        for task in await db.all(_sql.tasks, {"ids": tasks}) if tasks else []:
            labels[task["id"]] = f"{self.names.task(task['task_type'])} for {task['entity_label'] or 'nobody in particular'}"
        return labels

    @staticmethod
    async def _people(db: Db, ids: Sequence[UUID]) -> dict[UUID, str]:
        rows = await db.all(_sql.users, {"ids": sorted(set(ids))}) if ids else []
        return {row["id"]: row["full_name"] for row in rows}


async def note_reading(tx: Tx, action: str, wanted: Wanted, by: Actor | None) -> None:
    """Writes down that somebody reads, and by which conditions. tx: the house's own. by: None for the command line."""
    about = wanted.about or (Subject(wanted.entity_type, wanted.entity_id) if wanted.entity_type and wanted.entity_id else None)
    asked = {
        "action": action,
        "entity_type": about and about.type,
        "entity_id": about and about.id,
        "user": by and by.id,
        "details": jsonb(wanted.noted()),
        "ip": by and by.ip,
        "agent": by.user_agent if by else "the command line",
    }
    await tx.one(_NOTE, asked)


def anywhere(words: str) -> str:
    """Words as a pattern for `ilike` that finds them anywhere, and takes none of their characters for a wildcard."""
    escaped = words.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
