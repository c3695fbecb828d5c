"""Tasks: the work that follows a save, one row and one side effect each.

A task type is an async function, made known by `@workflow.background(...)`. Calling `.later(...)` on it writes nothing: it
says which row the save is to leave behind. A worker later runs the function with a `Run`, whose steps are checkpoints.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, get_type_hints, overload
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json, to_jsonable_python

from backhaul.core.errors import Problem, Transient
from backhaul.core.store import Db, Row

P = ParamSpec("P")
T = TypeVar("T")
OfficeT = TypeVar("OfficeT")

Result = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a task is tried before a person hears of it, and after which errors. Pauses grow threefold from 2 s (in SQL)."""

    attempts: int = 5
    on: type[Problem] | tuple[type[Problem], ...] = Transient


@dataclass(frozen=True, slots=True)
class Snooze:
    """Returned by a task that should run later, at no cost: its tries are not used up."""

    until: datetime
    because: str


@dataclass(frozen=True, slots=True)
class Later:
    """One row to be written with a save: which task, with which arguments. `about`: its entity, if not the save's record."""

    task_type: str
    args: Mapping[str, Any]
    once_key: str | None
    max_attempts: int
    lane: str
    delay: timedelta | None = None
    about: tuple[str, UUID, str] | None = None

    def as_json(self, entity: tuple[str, UUID, str]) -> dict[str, Any]:
        """As private.record_save takes it."""
        kind, entity_id, label = self.about or entity
        return {
            "task_type": self.task_type,
            "entity_type": kind,
            "entity_id": str(entity_id),
            "entity_label": label,
            "args": self.args,
            "once_key": self.once_key,
            "max_attempts": self.max_attempts,
            "lane": self.lane,
            "delay_s": self.delay.total_seconds() if self.delay else None,
        }


class Task(Generic[P, OfficeT]):
    """A task type: its function, and how it is to be run."""

    def __init__(
        self,
        function: Callable[Concatenate[Run[OfficeT], P], Awaitable[Result | Snooze]],
        *,
        once_per: str | tuple[str, ...] | None,
        retry: Retry,
        lane: str,
        label: str | None,
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.once_per = (once_per,) if isinstance(once_per, str) else once_per or ()
        self.retry = retry
        self.lane = lane
        self.label = label or self.name.replace("_", " ").capitalize()
        self._signature = inspect.signature(function)
        hints = get_type_hints(function)
        run, *names = self._signature.parameters
        self._run_name = run
        self._types = {name: TypeAdapter[Any](hints[name]) for name in names}
        for argument in self.once_per:
            if argument not in self._types:
                raise TypeError(f"{self.name}: once_per={argument!r} is not one of its arguments ({', '.join(names)})")

    def later(self, *args: P.args, **kwargs: P.kwargs) -> Later:
        """The row that asks for this task; takes the function's own arguments, after `run`."""
        bound = self._signature.bind(None, *args, **kwargs)
        bound.apply_defaults()
        values = {name: to_jsonable_python(value) for name, value in bound.arguments.items() if name != self._run_name}
        once_key = ":".join([self.name, *(str(values[argument]) for argument in self.once_per)]) if self.once_per else None
        return Later(self.name, values, once_key, self.retry.attempts, self.lane)

    async def perform(self, run: Run[OfficeT]) -> Result | Snooze:
        """Runs the function with the arguments of the row. A row made by hand, without any, means its entity.

        Raises: whatever the function raises; Problem when the row's arguments do not fit it.
        """
        given = run.args
        if not given and len(self._types) == 1:
            given = {next(iter(self._types)): str(run.entity_id)}
        try:
            values = {name: self._types[name].validate_python(value) for name, value in given.items()}
            bound = self._signature.bind(run, **values)
        except (KeyError, TypeError, ValidationError) as error:
            raise Problem(
                f'The task "{self.label}" was given arguments that do not fit it',
                f"It takes: {', '.join(self._types) or 'none'}",
                "Tell whoever created it; a task made by hand may leave them out, and then means its record",
                code="task.arguments",
            ) from error
        return await self.function(*bound.args, **bound.kwargs)


class Ledger(Protocol):
    """Where a run keeps its checkpoints: the worker's side of private.recall_step and private.keep_step."""

    async def recall_step(self, run: Run[Any], label: str, args_hash: str) -> Row: ...
    async def keep_step(self, run: Run[Any], label: str, args_hash: str, answer: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Run(Generic[OfficeT]):
    """One attempt at one task. `office` is the outside; `db` reads and writes only while this attempt holds the task."""

    task_id: UUID
    task_type: str
    attempt: int
    entity_type: str
    entity_id: UUID
    entity_label: str | None
    args: Mapping[str, Any]
    created_by: UUID | None
    office: OfficeT
    db: Db
    ledger: Ledger = field(repr=False)

    @overload
    async def step(self, label: str, ask: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def step(self, label: str, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
    async def step(self, label: str, ask: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> Any:
        """Asks once and keeps the answer: after a crash or a retry the same question is answered from the ledger.

        Asked at least once, since a worker may die between the answer and its keeping. The same question is the same label
        with the same arguments. The answer must survive JSON; its type is read from the function's return annotation.

        Raises: LeaseLost when another attempt has taken over, before anything is asked.
        """
        question = hashlib.sha256(to_json([args, kwargs], bytes_mode="base64")).hexdigest()
        answer_type = _answer_type(ask)
        kept = await self.ledger.recall_step(self, label, question)
        if kept["known"]:
            return answer_type.validate_python(kept["answer"], strict=False)
        answer = ask(*args, **kwargs)
        if inspect.isawaitable(answer):
            answer = await answer
        await self.ledger.keep_step(self, label, question, answer_type.dump_python(answer, mode="json"))
        return answer


def _answer_type(ask: Callable[..., Any]) -> TypeAdapter[Any]:
    returns = get_type_hints(ask if inspect.isroutine(ask) else type(ask).__call__).get("return", Any)
    return TypeAdapter(returns)
