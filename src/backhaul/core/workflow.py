"""Workflows: what someone does, as one sync phase they wait for and the tasks that follow.

The sync phase returns `Saved`. The core then writes the audit entry and the tasks into the same transaction and commits, so that
record, audit entry and list of work exist together or not at all, and nobody can forget one of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_json

from backhaul.core.errors import Conflict, Forbidden
from backhaul.core.store import Actor, Row, Store, Tx, jsonb
from backhaul.core.task import Later, OfficeT, Result, Retry, Run, Snooze, Task

P = ParamSpec("P")
FormT = TypeVar("FormT", bound=BaseModel)

Save = Callable[[Tx, FormT, Actor], Awaitable["Saved"]]

_CLAIM = b"select * from private.claim_click(%(user)s, %(workflow)s, %(key)s, %(request)s)"
_ANSWER = b"""
select case when %(key)s::text is null then %(reply)s
            else private.answer_click(%(user)s, %(workflow)s, %(key)s, %(reply)s) end as reply
"""
_RECORD = b"""
select case when %(key)s::text is null then w.reply
            else private.answer_click(%(user)s, %(workflow)s, %(key)s, w.reply) end as reply
  from private.record_save(%(user)s, %(action)s, %(entity)s, %(entity_id)s, %(details)s,
                           %(ip)s, %(agent)s, %(tasks)s, %(reply)s) w
"""
# One record_save for each record, in one round trip; by their ids, so that two saves of the same records never wait crosswise.
_RECORD_ALL = b"""
with saved as materialized (
  select r.place, w.reply -> 'task_ids' as task_ids
    from (select * from jsonb_to_recordset(%(records)s) r (place integer, entity_id uuid, details jsonb, tasks jsonb)
           order by entity_id) r
   cross join lateral private.record_save(%(user)s, %(action)s, %(entity)s, r.entity_id, r.details,
                                          %(ip)s, %(agent)s, r.tasks) w),
whole as (
  select %(reply)s || jsonb_build_object('task_ids', coalesce((
           select jsonb_object_agg(n.task_type, n.ids)
             from (select t.key as task_type, jsonb_agg(i.id order by s.place) as ids
                     from saved s cross join jsonb_each(s.task_ids) t
                    cross join jsonb_array_elements(case jsonb_typeof(t.value) when 'array' then t.value
                                                         else jsonb_build_array(t.value) end) i (id)
                    group by t.key) n), '{}')) as reply)
select case when %(key)s::text is null then w.reply
            else private.answer_click(%(user)s, %(workflow)s, %(key)s, w.reply) end as reply
  from whole w
"""


@dataclass(frozen=True, slots=True)
class Also:
    """One more record of the same save: with an audit entry and tasks of its own, in the same commit."""

    entity_id: UUID
    label: str
    then: Sequence[Later] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a sync phase leaves behind: the record's id and name, the caller's message, the work to follow.

    details: what the audit entry says changed; no health words. reply: further fields of the answer, by their wire names.
    also: more records of the same kind; the answer's `task_ids` are then lists, in the order of the records.
    changed: False when everything was so already; then nothing is written down, for nothing happened.
    """

    entity_id: UUID
    label: str
    message: str
    then: Sequence[Later] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    reply: Mapping[str, Any] = field(default_factory=dict)
    changed: bool = True
    also: Sequence[Also] = ()

    def __post_init__(self) -> None:
        if (self.then or self.also) and not self.changed:
            raise ValueError("no work can follow a save that changed nothing")


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the caller, and whether it is the one given before to the same click."""

    body: Mapping[str, Any]
    repeated: bool = False

    @property
    def message(self) -> str:
        return str(self.body["message"])


class Workflow(Generic[FormT, OfficeT]):
    """One thing people do. `form` is what they send; `allow` the roles that may; `audit` the action's name in the log.

    aliases: further names by which it may be called; methods: the verbs of HTTP that call it.
    """

    def __init__(
        self,
        name: str,
        form: type[FormT],
        *,
        entity: str,
        audit: str,
        allow: Collection[str],
        workflows: Workflows[OfficeT],
        aliases: Sequence[str] = (),
        methods: Sequence[str] = ("POST",),
    ) -> None:
        self.name = name
        self.aliases = tuple(aliases)
        self.methods = tuple(methods)
        self.form = form
        self.entity = entity
        self.audit = audit
        self.allow = frozenset(allow)
        self._workflows = workflows
        self._save: Save[FormT] | None = None

    def sync(self, save: Save[FormT]) -> Save[FormT]:
        """Names the sync phase: everything the caller waits for."""
        self._save = save
        return save

    def background(
        self,
        *,
        once_per: str | tuple[str, ...] | None = None,
        retry: Retry | None = None,
        lane: str = "inner",
        label: str | None = None,
    ) -> Callable[[Callable[Concatenate[Run[OfficeT], P], Awaitable[Result | Snooze]]], Task[P, OfficeT]]:
        """Makes a function a task type of the application: see Workflows.task."""
        return self._workflows.task(once_per=once_per, retry=retry, lane=lane, label=label)

    async def submit(self, store: Store, form: FormT, by: Actor, *, key: str | None = None) -> Reply:
        """Saves, and answers when record, audit entry and tasks are committed together.

        key: the caller's name for one click; the same key brings the same reply and saves nothing twice.
        Raises: Forbidden for a role not allowed; Conflict for a key used for another request; whatever the sync phase raises.
        """
        if self._save is None:
            raise TypeError(f"workflow {self.name} has no sync phase")
        async with store.person(by.id, by.session_id) as (tx, who):
            if who["role"] not in self.allow:
                raise Forbidden(
                    "You may not do this", f"It takes one of these roles: {', '.join(sorted(self.allow))}", "Ask a supervisor"
                )
            if key is not None:
                earlier = await self._claim(tx, key, form, by)
                if earlier is not None:
                    return earlier
            saved = await self._save(tx, form, by)
            await tx.as_service()
            return Reply(await self._record(tx, saved, by, key))

    async def _claim(self, tx: Tx, key: str, form: FormT, by: Actor) -> Reply | None:
        request = hashlib.sha256(to_json(form)).digest()
        claim = await tx.one(_CLAIM, {"user": by.id, "workflow": self.name, "key": key, "request": request})
        if claim is None or claim["fresh"]:
            return None
        if not claim["same"]:
            raise Conflict(
                "This click was already used for something else",
                "Its idempotency key came with other data before",
                "Reload the page and save again",
                code="key_reused",
            )
        return Reply(claim["reply"], repeated=True)

    async def _record(self, tx: Tx, saved: Saved, by: Actor, key: str | None) -> Row:
        """Writes audit entry and tasks, and with a key the reply as well; the reply, with the tasks' ids by their types."""
        reply = {"success": True, f"{self.entity}_id": saved.entity_id, "message": saved.message, **saved.reply}
        given = {
            "user": by.id,
            "workflow": self.name,
            "key": key,
            "action": self.audit,
            "entity": self.entity,
            "ip": by.ip,
            "agent": by.user_agent,
            "reply": jsonb(reply),
        }
        if saved.also:
            every: list[Saved | Also] = [saved, *saved.also]
            records = [self._record_of(one) | {"place": place, "details": one.details} for place, one in enumerate(every)]
            written = await tx.one(_RECORD_ALL, given | {"records": jsonb(records)})
        elif saved.changed:
            record = self._record_of(saved)
            written = await tx.one(_RECORD, given | record | {"details": jsonb(saved.details), "tasks": jsonb(record["tasks"])})
        else:
            written = await tx.one(_ANSWER, given)
        if written is None:
            raise LookupError("a record of a save always answers with one row")
        body: Row = written["reply"]
        return body

    def _record_of(self, one: Saved | Also) -> Row:
        entity = (self.entity, one.entity_id, one.label)
        return {"entity_id": one.entity_id, "tasks": [later.as_json(entity) for later in one.then]}


class Workflows(Generic[OfficeT]):
    """All workflows of one application, by name, and the task types they brought along."""

    def __init__(self) -> None:
        self.by_name: dict[str, Workflow[Any, OfficeT]] = {}
        self.tasks: dict[str, Task[..., OfficeT]] = {}

    def workflow(
        self,
        name: str,
        form: type[FormT],
        *,
        entity: str,
        audit: str,
        allow: Collection[str],
        aliases: Sequence[str] = (),
        methods: Sequence[str] = ("POST",),
    ) -> Workflow[FormT, OfficeT]:
        """A new workflow. entity: what kind of record it saves, as people and tasks name it."""
        if name in self.by_name:
            raise ValueError(f"workflow {name} exists already")
        made = Workflow(name, form, entity=entity, audit=audit, allow=allow, workflows=self, aliases=aliases, methods=methods)
        self.by_name[name] = made
        return made

    def task(
        self,
        *,
        once_per: str | tuple[str, ...] | None = None,
        retry: Retry | None = None,
        lane: str = "inner",
        label: str | None = None,
    ) -> Callable[[Callable[Concatenate[Run[OfficeT], P], Awaitable[Result | Snooze]]], Task[P, OfficeT]]:
        """Makes a function a task type.

        once_per: the argument, or several, for which at most one task waits and one runs. lane: the service it mostly waits for.
        label: what people call it; otherwise its name in words.
        """

        def register(function: Callable[Concatenate[Run[OfficeT], P], Awaitable[Result | Snooze]]) -> Task[P, OfficeT]:
            task = Task(function, once_per=once_per, retry=retry or Retry(), lane=lane, label=label)
            if task.name in self.tasks:
                raise ValueError(f"task type {task.name} exists already; import it instead of writing it again")
            self.tasks[task.name] = task
            return task

        return register

    def label(self, task_type: str) -> str:
        """What people call a task type, known here or not."""
        task = self.tasks.get(task_type)
        return task.label if task else task_type.replace("_", " ").capitalize()

    @property
    def lanes(self) -> set[str]:
        return {"inner"} | {task.lane for task in self.tasks.values()}
