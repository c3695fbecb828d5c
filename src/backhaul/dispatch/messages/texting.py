"""A text message goes out once, whatever becomes of the worker or of the answer.

Quo takes no key of ours by which it could know a repeat. So what is about to happen is written down first, and whoever cannot
know whether it did looks at Quo before doing it again:

    begun         which equal texts to that number were there before, kept before the request leaves
    no answer     or the worker died: Quo's list is looked at; found → that was it
    not found     looked at again after SECOND_LOOK_AFTER, since the list may be late; found → that was it
    not found     it is taken not to have gone, and is sent once more
    no answer     looked at twice again; not found → a person is told "may have been sent". A retry looks once more, then sends

A refusal, or a request that never left, is certain: the next attempt sends without looking.
An equal text that something else sends to that number meanwhile may be taken for this one: the person has it then. One gap
cannot be closed from here: a worker frozen between its note and its request for longer than all of that would, on waking, send
what another has sent by then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from backhaul.core.errors import Misconfigured, OutcomeUnknown, OutsideProblem, Transient, Unplaceable
from backhaul.core.limits import OnHold
from backhaul.core.queries import Queries
from backhaul.core.task import Run
from backhaul.dispatch.messages import messages
from backhaul.dispatch.office import Office, Texts
from backhaul.outside.quo_messages import NOT_DELIVERED, Sent

SECOND_LOOK_AFTER = timedelta(minutes=2)
ARRIVES_WITHIN = timedelta(minutes=2)
CLOCKS_DIFFER_BY = timedelta(hours=1)  # Quo's and ours, at the very most; what was there before is known by its id, not its time
IN_DOUBT_BEFORE_ASKING = 2

T = TypeVar("T")
_sql = Queries("texting")


async def send_once(run: Run[Office], text: str, to: str | None, intent: str) -> Sent:
    """Sends `text`, and returns what Quo says of it; the same text to the same number is one text for one task.

    So it must read the same at every attempt: made from the record or the task's arguments, never from the clock.
    to: E.164; None: the record has no number. intent: what the text is, as people say it ("the confirmation to the client").

    Raises: OnHold while it is not yet time to look again: the task waits at no cost. OutcomeUnknown, once it cannot be said:
    a person looks. Unplaceable without a number, or on one that Quo refuses; Misconfigured when texts are off or Quo takes none;
    Transient, RateLimited. A task that sends needs no OutcomeUnknown in its retry=.
    """
    texts = run.office.texts
    if texts is None:
        raise Misconfigured(
            "Quo",
            f"{_capital(intent)} was not sent: texts are off",
            "No number to send from is set",
            "Set quo_from (BACKHAUL_QUO_FROM) to the office's Quo number; then retry",
            everybodys=False,
            code="quo.no_sender",
        )
    return await run.step(intent, _Text(run, texts, intent).send, text, to or "")


async def send_intended(run: Run[Office], intended_id: UUID, text: str, to: str | None, intent: str) -> Sent:
    """Sends the text of a message that was written down before (messages.intend), and writes down what came of it.

    Raises: as send_once. After a Transient the message stays intended: the task tries again.
    """
    try:
        sent = await send_once(run, text, to, intent)
    except Transient:
        raise
    except OutsideProblem as problem:
        state: messages.State = "unknown" if isinstance(problem, OutcomeUnknown) else "refused"
        await messages.settle(run.db, intended_id, state, error=problem.message)
        raise
    await messages.settle(run.db, intended_id, "sent", provider_id=sent.message_id)
    return sent


async def see_it_arrive(run: Run[Office], sent: Sent, intent: str) -> str:
    """Waits (at no cost) until carriers have had time, and returns Quo's word: delivered, or sent or queued if it still travels.

    Raises: Unplaceable when it did not arrive: to a landline, say. OnHold while it is not yet time; Transient and its kin.
    """
    texts = run.office.texts
    if texts is None or sent.status == "delivered":
        return sent.status

    async def by_now(message_id: str) -> datetime:
        return await _now(run)

    due = await run.step(f"{intent}: has gone", by_now, sent.message_id) + ARRIVES_WITHIN
    if await _now(run) < due:
        raise OnHold(due, f"{_capital(intent)} is on its way; whether it arrived is looked up then", code="quo.on_its_way")
    status = await texts.status(sent.message_id)
    if status in NOT_DELIVERED:
        raise Unplaceable(
            "Quo",
            f"{_capital(intent)} did not arrive",
            "The carrier did not deliver to this number: a landline, a number out of use, or one that wants no texts",
            "Correct the number and save; or tell them another way, and dismiss this",
            code="quo.undelivered",
        )
    return status


class _Begun(BaseModel):
    """What is kept before a request leaves. others: equal texts that were there before. ours: what was in doubt, found."""

    since: datetime
    others: list[str]
    ours: Sent | None = None


class _Look(BaseModel):
    at: datetime
    found: Sent | None


class _End(BaseModel):
    """What became of one request. certain: refused, or never left; else it was not found, twice. attempt: that learned it."""

    sent: Sent | None = None
    certain: bool
    attempt: int


class _Text:
    """One text of one task. Its steps are all filed under text and number."""

    def __init__(self, run: Run[Office], texts: Texts, intent: str) -> None:
        self._run = run
        self._texts = texts
        self._intent = intent

    async def send(self, text: str, to: str) -> Sent:
        doubts: list[_End] = []
        first: _Begun | None = None  # of those in doubt
        number = 0
        while True:
            number += 1
            if doubts and len(doubts) % IN_DOUBT_BEFORE_ASKING == 0:
                await self._ask_a_person(doubts[-1])
            begun, now = await self._step(f"sending {number}", self._begin, text, to, first)
            if begun.ours:
                return begun.ours
            if now and (sent := await self._request(number, text, to)):
                return sent
            end, _ = await self._step(f"what became of sending {number}", self._learn, text, to, begun, number)
            if end.sent:
                return end.sent
            if not end.certain:
                doubts.append(end)
                first = first or begun

    async def _begin(self, text: str, to: str, in_doubt: _Begun | None) -> _Begun:
        """Looks before anything is sent, so that key, number and list are known to work before there can be a doubt."""
        if in_doubt:
            return in_doubt.model_copy(update={"ours": await self._look(text, to, in_doubt)})
        since = await _now(self._run) - CLOCKS_DIFFER_BY
        others = await self._texts.sent(text, to, since=since)
        return _Begun(since=since, others=[other.message_id for other in others])

    async def _request(self, number: int, text: str, to: str) -> Sent | None:
        """None: it may have been sent."""
        try:
            return await self._texts.send(text, to)
        except OutcomeUnknown:
            return None
        except (OutsideProblem, OnHold):
            await self._step(f"what became of sending {number}", self._did_not_go, text, to)
            raise

    async def _did_not_go(self, text: str, to: str) -> _End:
        return _End(certain=True, attempt=self._run.attempt)

    async def _learn(self, text: str, to: str, begun: _Begun, number: int) -> _End:
        look, _ = await self._step(f"first look after sending {number}", self._first_look, text, to, begun)
        found = look.found
        if found is None:
            due = look.at + SECOND_LOOK_AFTER
            if await _now(self._run) < due:
                because = f"It is not known whether {self._intent} has gone; Quo is asked again then"
                raise OnHold(due, because, code="quo.in_doubt")
            found = await self._look(text, to, begun)
        return _End(sent=found, certain=found is not None, attempt=self._run.attempt)

    async def _first_look(self, text: str, to: str, begun: _Begun) -> _Look:
        return _Look(found=await self._look(text, to, begun), at=await _now(self._run))

    async def _look(self, text: str, to: str, begun: _Begun) -> Sent | None:
        try:
            there = await self._texts.sent(text, to, since=begun.since)
        except OutsideProblem as problem:  # of the same kind, so that it is tried again where that may help
            problem.why = f"Quo gave no answer to it, and cannot be asked now: {problem.message}"
            problem.what = f"{_capital(self._intent)} may have been sent"
            problem.todo = f"{problem.todo}. Once Quo answers again, a retry looks first, and sends it only if it is not there"
            raise
        return next((sent for sent in there if sent.message_id not in begun.others), None)

    async def _ask_a_person(self, doubt: _End) -> None:
        """Returns once a person has been told, and has retried."""
        asked = await self._run.db.one(_sql.retried_by_a_person, {"task": self._run.task_id, "since": doubt.attempt})
        if not (asked and asked["retried"]):
            raise OutcomeUnknown(
                "Quo",
                f"{_capital(self._intent)} may have been sent",
                "Quo gave no answer, and its list does not show it",
                "Look in Quo. If it is there, dismiss this; if not, retry: it looks once more, then sends",
                code="quo.may_be_sent",
            )

    async def _step(self, label: str, ask: Callable[..., Awaitable[T]], text: str, to: str, *more: Any) -> tuple[T, bool]:
        """The answer of a step, and whether it was asked just now and not found in the ledger."""
        asked = False

        @wraps(ask)  # the step reads the answer's type from it
        async def asking(text: str, to: str) -> T:
            nonlocal asked
            asked = True
            return await ask(text, to, *more)

        return await self._run.step(f"{self._intent}: {label}", asking, text, to), asked


async def _now(run: Run[Any]) -> datetime:
    """By the database's clock, as all tasks go by it."""
    row = await run.db.one(_sql.now)
    assert row is not None  # noqa: S101  (a select without a table has one row)
    now: datetime = row["now"]
    return now


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
