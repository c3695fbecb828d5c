"""Text messages from the office's Quo number, by v1: the dated surface cannot send.

Quo takes no key of ours to recognise a repeat by. So a text is sent at most once by `send`, and whoever got no answer looks with
`sent` before sending again; `dispatch.texting.send_once` is the whole of that, for tasks.
"Sent" is what Quo has accepted (202), not what has arrived: `status` says later what became of it.
Source: Quo docs, Send a text message; List messages; Get a message by ID; List phone numbers (all v1); API response codes.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from backhaul.core.answer import Answer
from backhaul.core.errors import Malformed, Misconfigured, OutcomeUnknown, OutsideProblem, Unplaceable
from backhaul.core.outbound import Limits
from backhaul.outside.quo_line import QUO_URL, SERVICE, UNPAID, explain, faults, field, line

MESSAGES, NUMBERS = "/v1/messages", "/v1/phone-numbers"
LONGEST = 1600
NOT_DELIVERED = frozenset({"undelivered", "failed"})


class Sent(BaseModel):
    """A text that Quo has accepted. status: queued, sent, delivered, undelivered …, when it was asked."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    status: str


class QuoTexts:
    """sender: the office's number, as +19025550199 or as Quo's id of it (PN…)."""

    service = SERVICE

    def __init__(
        self,
        key: str,
        sender: str,
        *,
        limits: Limits,
        base_url: str = QUO_URL,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._outbound = line(key, limits=limits, base_url=base_url, transport=transport)
        self._sender = sender.strip()
        self._number_id: str | None = None

    async def send(self, text: str, to: str) -> Sent:
        """Hands the text over, at most once. to: E.164.

        Raises: OutcomeUnknown when it may have been sent, then look with `sent`; for any other error nothing went.
        Unplaceable on a number that is none or that Quo refuses; Transient, RateLimited; Misconfigured on key, bill, sender,
        registration or the day's limit; Malformed on a text that is empty or too long.
        """
        check(text, to)
        body = {"content": text, "from": await self.sender_id(), "to": [to]}
        answer = await self._outbound.send("POST", MESSAGES, repeatable=False, json=body, explain=_explain_send)
        match answer.json():
            case {"data": {"id": str(message_id), **more}} if message_id:
                return Sent(message_id=message_id, status=str(more.get("status", "queued")))
        raise self._outbound.unknown("It answered yes, but did not say which text it took")

    async def sent(self, text: str, to: str, *, since: datetime) -> list[Sent]:
        """The texts to that number that say the same, oldest first, created at Quo since then (by its clock)."""
        check(text, to)
        params: dict[str, object] = {
            "phoneNumberId": await self.sender_id(),
            "participants": to,
            "createdAfter": since.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "maxResults": 50,
        }
        found: list[_Message] = []
        while True:
            answer = await self._outbound.send(
                "GET", MESSAGES, repeatable=True, params=params, about=text, explain=_explain_texts
            )
            page = self._outbound.read(answer, _MESSAGES)
            found += page.data
            if not page.next_page_token or page.next_page_token == params.get("pageToken"):
                break
            params["pageToken"] = page.next_page_token
        same = [one for one in found if one.direction == "outgoing" and one.to == [to] and _core(one.text or "") == _core(text)]
        return [Sent(message_id=one.id, status=one.status) for one in sorted(same, key=lambda one: one.created_at)]

    async def status(self, message_id: str) -> str:
        """What has become of a text: queued, sent, delivered; or one of NOT_DELIVERED."""
        path = f"{MESSAGES}/{quote(message_id, safe='')}"
        answer = await self._outbound.send("GET", path, repeatable=True, explain=explain)
        return self._outbound.read(answer, _ONE).data.status

    async def sender_id(self) -> str:
        """Quo's id of the number we send from; asked once. Raises: Misconfigured when the workspace has no such number."""
        if self._number_id is None:
            answer = await self._outbound.send("GET", NUMBERS, repeatable=True, explain=explain)
            numbers = self._outbound.read(answer, _NUMBERS).data
            self._number_id = next((one.id for one in numbers if self._sender in (one.id, one.number)), None)
            if self._number_id is None:
                raise _no_such_sender()
        return self._number_id

    async def aclose(self) -> None:
        await self._outbound.aclose()


def check(text: str, to: str) -> None:
    """Can it be sent at all? Raises: Unplaceable on the number, Malformed on the text."""
    if not to:
        raise Unplaceable(
            SERVICE,
            "There is no number to text to",
            "The record has none",
            "Enter a mobile number and save; or tell them another way, and dismiss this",
            code="quo.no_number",
        )
    if not re.fullmatch(r"\+[1-9][0-9]{1,14}", to):
        raise Unplaceable(
            SERVICE,
            "The number cannot be texted",
            "It is not a whole number with area code",
            "Correct it, in the form 902-555-0123, and save",
            code="quo.bad_number",
        )
    if not text.strip() or len(text) > LONGEST:
        why = f"It has {len(text)} characters; Quo takes {LONGEST}" if text.strip() else "It is empty"
        raise Malformed(SERVICE, "The text cannot be sent", why, "Correct its template", code="quo.bad_text")


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Message(_Wire):
    id: str
    to: list[str]
    text: str | None
    direction: str
    status: str
    created_at: str


class _Messages(_Wire):
    data: list[_Message]
    next_page_token: str | None = None


class _One(_Wire):
    data: _Message


class _Number(_Wire):
    id: str
    number: str


class _Numbers(_Wire):
    data: list[_Number]


_MESSAGES, _ONE, _NUMBERS = TypeAdapter(_Messages), TypeAdapter(_One), TypeAdapter(_Numbers)


def _core(text: str) -> str:
    """Letters and digits alone: quotes, blanks and accents may come back in another form than they were sent."""
    plain = "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text))).casefold()
    return plain or " ".join(text.split())


def _explain_send(answer: Answer) -> OutsideProblem | None:
    if answer.status >= 500:  # also with a Retry-After: what answers may stand before what has already sent it
        return OutcomeUnknown(
            SERVICE,
            "The text may or may not have been sent",
            f"Quo answered {answer.status}",
            "Look in Quo before sending it again",
            code=f"quo.{answer.status}",
        )
    return _explain_texts(answer)


# What concerns texts alone, by HTTP status and Quo's code; the contacts go on meanwhile.
_TEXTS_ALONE = {
    (400, "0206400"): (
        "Texts to US numbers are not yet allowed",
        "US carrier registration is not finished",
        "Complete it in Quo; Canadian numbers are not covered by this rule",
        "quo.0206400",
    ),
    (402, "0200402"): (*UNPAID, "quo.402"),
    (403, "0204403"): (
        "The daily limit of texts is reached",
        "US carriers cap each sender per day",
        "Try tomorrow or ask Quo support for a higher cap",
        "quo.0204403",
    ),
}


def _explain_texts(answer: Answer) -> OutsideProblem | None:
    if known := _TEXTS_ALONE.get((answer.status, field(answer, "code"))):
        return _no_texts(*known)
    said = answer.quote(field(answer, "message"))
    why = f'It answered {answer.status}: "{said}"' if said else f"It answered {answer.status}"
    match answer.status:
        case 400 if any(str(fault.get("path", "")).startswith("/to") for fault in faults(answer)):
            todo = "Correct it and save; or tell them another way, and dismiss this"
            return Unplaceable(SERVICE, "Quo does not take the number", why, todo, code="quo.number_refused")
        case 403:
            what = "Quo does not let us text from the office's number to this one"
            return _no_texts(what, why, "In Quo, see who may use the office's number and which countries it may text", "quo.403")
        case 404:
            return _no_such_sender()
    return explain(answer)


def _no_such_sender() -> Misconfigured:
    return _no_texts(
        "Quo does not know the number we send from",
        "It was removed from the workspace, or the setting is mistyped",
        "Set quo_from (BACKHAUL_QUO_FROM) to a number of this Quo workspace",
        "quo.sender",
    )


def _no_texts(what: str, why: str, todo: str, code: str) -> Misconfigured:
    return Misconfigured(SERVICE, what, why, todo, everybodys=False, code=code)
