"""Quo's text messages, v1: accepted with 202 and no idempotency key; whoever doubts looks in the list.

The workspace has one number. A text counts as delivered as soon as it is read back, unless `undelivered` was ordered for it.
Source: external service notes 3.3; Quo docs, List phone numbers (v1).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from starlette.responses import JSONResponse, Response

from backhaul.sandbox.quo import PhoneNumber, QuoBody, Reception, invalid, page, problem, read, refusals
from backhaul.sandbox.store import Store
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal, Refused

NUMBER_ID, NUMBER = "PNstandin01", "+19025550199"
_BAD = "0200400"


class QuoMessages:
    service = "quo"
    label = "Quo messages"

    def __init__(self, store: Store, clock: Clock, reception: Reception) -> None:
        self._store = store
        self._clock = clock
        self._reception = reception

    def calls(self) -> Sequence[Call]:
        return [
            Call("POST", "/v1/messages", self._send),
            Call("GET", "/v1/messages", self._list),
            Call("GET", "/v1/messages/{id}", self._read),
            Call("GET", "/v1/phone-numbers", self._numbers),
        ]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return refusals("0200")

    def _send(self, ask: Ask) -> Response:
        self._reception.admit(ask)
        wish = read(ask, _NewMessage, _BAD)
        if wish.sender not in (NUMBER_ID, NUMBER):
            raise Refused(problem(404, "0200404", "No such number in this workspace."))
        now = self._clock().astimezone(UTC).isoformat().replace("+00:00", "Z")
        message: dict[str, object] = {
            "id": f"AC{uuid.uuid4().hex}",
            "conversationId": f"CN{uuid.uuid5(uuid.NAMESPACE_URL, _conversation(wish.to)).hex}",
            "phoneNumberId": NUMBER_ID,
            "to": wish.to,
            "from": NUMBER,
            "text": wish.content,
            "direction": "outgoing",
            "userId": wish.user_id or "USstandin",
            "status": "queued",
            "createdAt": now,
            "updatedAt": now,
        }
        fate = {"fate": "undelivered" if ask.mood == "undelivered" else "delivered"}
        self._store.put("message", str(message["id"]), message | fate, label=_conversation(wish.to))
        ask.notes.update(message=message["id"])
        return JSONResponse({"data": message}, status_code=202)

    def _list(self, ask: Ask) -> Response:
        """Newest first. `since` acts as "before", as reported."""
        self._reception.admit(ask)
        people, number = ask.query.getlist("participants"), ask.query.get("phoneNumberId")
        if not people:
            raise invalid(_BAD, "participants", "Expected required property", kind="array")
        if not number:
            raise invalid(_BAD, "phoneNumberId", "Expected required property")
        after, before = _time(ask, "createdAfter"), _time(ask, "createdBefore") or _time(ask, "since")
        found = [
            _as_it_is_now(message)
            for message in reversed(self._store.find("message", label=_conversation(people)))
            if number == message["phoneNumberId"]
            and (after is None or datetime.fromisoformat(str(message["createdAt"])) > after)
            and (before is None or datetime.fromisoformat(str(message["createdAt"])) < before)
        ]
        return page(ask, found, _BAD, most=100)

    def _read(self, ask: Ask) -> Response:
        self._reception.admit(ask)
        message = self._store.get("message", ask.params["id"])
        if message is None:
            raise Refused(problem(404, "0200404", "Message not found."))
        return JSONResponse({"data": _as_it_is_now(message)})

    def _numbers(self, ask: Ask) -> Response:
        """Not paged."""
        self._reception.admit(ask)
        anywhere = {"CA": "unrestricted", "US": "unrestricted", "Intl": "restricted"}
        number = {"id": NUMBER_ID, "number": NUMBER, "formattedNumber": "(902) 555-0199", "name": "Office (stand-in)"}
        return JSONResponse({"data": [number | {"users": [], "restrictions": {"messaging": anywhere, "calling": anywhere}}]})


class _NewMessage(QuoBody):
    content: Annotated[str, StringConstraints(min_length=1, max_length=1600, pattern=r"\S")]
    sender: Annotated[str, StringConstraints(pattern=r"^(PN.*|\+[1-9]\d{1,14})$")] = Field(alias="from")
    to: Annotated[list[PhoneNumber], Field(min_length=1, max_length=10)]
    user_id: Annotated[str, StringConstraints(pattern=r"^US")] | None = None
    set_inbox_status: Literal["done"] | None = None


def _as_it_is_now(message: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in message.items() if name != "fate"} | {"status": message["fate"]}


def _conversation(people: Sequence[str]) -> str:
    return ",".join(sorted(people))


def _time(ask: Ask, name: str) -> datetime | None:
    text = ask.query.get(name)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as unreadable:
        raise invalid(_BAD, name, "Expected date-time", text) from unreadable
    if time.tzinfo is None:
        raise invalid(_BAD, name, "Expected a date-time with its zone", text)
    return time
