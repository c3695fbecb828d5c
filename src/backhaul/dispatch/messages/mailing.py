"""A mail that should not come twice: an invoice, say.

A mail server takes no key by which it could know a repeat, and has no list to look at. So what is about to happen is written down
before the mail leaves. Whoever finds that note without an end cannot know, and a person decides:

    taken on       it is sent, and never again by this task
    refused        it did not go, for certain: the next attempt sends
    no answer      or the worker died: a person is told "may have been sent", and their retry is the word to send it once more

All bear one Message-ID, by which mail programs show a mail that came twice as one. To another address it is another mail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from backhaul.core.errors import OutcomeUnknown, OutsideProblem
from backhaul.core.limits import OnHold
from backhaul.core.queries import Queries
from backhaul.core.task import Run
from backhaul.dispatch.office import Office
from backhaul.outside.mail import SERVICE, Message

_sql = Queries("texting")
_End = Literal["gone", "not gone", "once more"]


async def mail_once(run: Run[Office], message: Message, intent: str) -> None:
    """Returns once the mail server has taken it on. intent: what the mail is, as people say it ("invoice INV-0001").

    Raises: OutcomeUnknown, where it cannot be said whether it has gone: a person looks. Unplaceable, Misconfigured, Malformed,
    Transient, RateLimited, OnHold: it has not. A task that sends needs no OutcomeUnknown in its retry=.
    """
    number = 0
    while True:
        number += 1
        begins_now = False

        async def begin(_id: str, _to: str) -> int:
            nonlocal begins_now
            begins_now = True
            return run.attempt

        which = (message.message_id, message.to)
        begun = await run.step(f"{intent}: sending {number}", begin, *which)
        the_end = f"{intent}: what became of sending {number}"
        if begins_now:
            await _send(run, message, intent, the_end)
            return
        if await run.step(the_end, _asked(run, intent, begun), *which) == "gone":
            return


async def _send(run: Run[Office], message: Message, intent: str, the_end: str) -> None:
    which = (message.message_id, message.to)
    try:
        await run.office.mail.send(message)
    except OutcomeUnknown:
        raise _may_be_sent(intent, "The mail server gave no answer") from None
    except (OutsideProblem, OnHold):
        await run.step(the_end, _known("not gone"), *which)
        raise
    await run.step(the_end, _known("gone"), *which)


def _known(end: _End) -> Callable[[str, str], Awaitable[_End]]:
    async def tell(_id: str, _to: str) -> _End:
        return end

    return tell


def _asked(run: Run[Office], intent: str, begun: int) -> Callable[[str, str], Awaitable[_End]]:
    """What a person says of a mail in doubt: once more, by retrying. begun: the attempt that was about to send."""

    async def ask(_id: str, _to: str) -> _End:
        row = await run.db.one(_sql.retried_by_a_person, {"task": run.task_id, "since": begun})
        if not (row and row["retried"]):
            raise _may_be_sent(intent, "The program was interrupted while it was being sent")
        return "once more"

    return ask


def _may_be_sent(intent: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        SERVICE,
        f"{intent[:1].upper()}{intent[1:]} may or may not have been sent",
        why,
        "Ask the recipient whether it came. If so, dismiss this; if not, retry: it is sent once more",
        code="mail.may_be_sent",
    )
