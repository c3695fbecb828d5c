"""Text messages by Quo: what whoever sends one, and whoever pays for it, may rely on."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from backhaul.core.errors import (
    Gone,
    Malformed,
    Misconfigured,
    OutcomeUnknown,
    OutsideProblem,
    RateLimited,
    Transient,
    Unplaceable,
)
from backhaul.core.outbound import NO_LIMITS
from backhaul.outside.quo_messages import QuoTexts, Sent
from tests.fakes import CountingLimits

KEY, NUMBER = "quo-secret-key-42", "+19025550199"
TEXT, TO = "Your ride comes at 9:30", "+19025550100"
SINCE = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)

Body = dict[str, Any]


class FarEnd:
    """Quo's messages, in memory: every one that is sent is one more."""

    def __init__(self) -> None:
        self.messages: list[Body] = []
        self.requests: list[httpx.Request] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.transport = httpx.MockTransport(self._answer)

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def keep(self, text: str | None = TEXT, *, to: str = TO, at: str = "2026-12-01T09:30:00Z", **other: Any) -> str:
        message: Body = {
            "id": f"AC{len(self.messages)}",
            "to": [to],
            "from": NUMBER,
            "text": text,
            "direction": "outgoing",
            "status": "delivered",
            "createdAt": at,
            "phoneNumberId": "PN1",
            "userId": None,
            "brandNew": True,
        }
        self.messages.append(message | other)
        return str(self.messages[-1]["id"])

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.before(request) or self._act(request)

    def _act(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        match request.method, request.url.path:
            case "GET", "/v1/phone-numbers":
                return httpx.Response(
                    200, json={"data": [{"id": "PN0", "number": "+19025550188"}, {"id": "PN1", "number": NUMBER}]}
                )
            case "POST", "/v1/messages":
                wish = json.loads(request.content)
                made = self.keep(wish["content"], to=wish["to"][0], status="queued")
                return httpx.Response(202, json={"data": {"id": made, "status": "queued", "text": wish["content"]}})
            case "GET", "/v1/messages":
                found = [one for one in reversed(self.messages) if one["createdAt"] > asked["createdAfter"]]
                start = int(asked.get("pageToken", "0"))
                more = str(start + 2) if len(found) > start + 2 else None
                return httpx.Response(200, json={"data": found[start : start + 2], "totalItems": 0, "nextPageToken": more})
            case "GET", path if one := next((one for one in self.messages if path.endswith(f"/{one['id']}")), None):
                return httpx.Response(200, json={"data": one})
        return httpx.Response(404, json={"message": "not found", "code": "0200404", "status": 404})


def texts(far_end: FarEnd, sender: str = NUMBER) -> QuoTexts:
    return QuoTexts(KEY, sender, limits=NO_LIMITS, transport=far_end.transport)


async def problem_of(far_end: FarEnd, text: str = TEXT, to: str = TO) -> OutsideProblem:
    with pytest.raises(OutsideProblem) as caught:
        await texts(far_end).send(text, to)
    shown = repr(vars(caught.value)) + str(caught.value)
    for private in (KEY, TO, TEXT):
        assert private not in shown
    return caught.value


def failing(status: int, body: object = None, *, headers: dict[str, str] | None = None, method: str = "POST") -> FarEnd:
    far_end = FarEnd()
    far_end.before = lambda request: httpx.Response(status, json=body, headers=headers) if request.method == method else None
    return far_end


# ── Sending ──


async def test_a_text_goes_to_one_number_from_the_offices_own() -> None:
    far_end = FarEnd()
    assert await texts(far_end).send(TEXT, TO) == Sent(message_id="AC0", status="queued")
    assert far_end.asked == ["GET /v1/phone-numbers", "POST /v1/messages"]
    sending = far_end.requests[-1]
    assert json.loads(sending.content) == {"content": TEXT, "from": "PN1", "to": [TO]}
    assert sending.headers["Authorization"] == KEY
    assert sending.url.host == "api.quo.com"
    assert "Quo-Api-Version" not in sending.headers  # the dated surface cannot send


@pytest.mark.parametrize("sender", [NUMBER, "PN1", f" {NUMBER} "])
async def test_the_sender_is_given_as_a_number_or_as_quos_id_and_looked_up_once(sender: str) -> None:
    far_end = FarEnd()
    line = texts(far_end, sender)
    assert await line.sender_id() == "PN1"
    await line.send(TEXT, TO)
    await line.send(TEXT, TO)
    assert far_end.asked.count("GET /v1/phone-numbers") == 1


async def test_a_sender_that_the_workspace_does_not_have_is_said_and_nothing_is_sent() -> None:
    far_end = FarEnd()
    with pytest.raises(Misconfigured) as refused:
        await texts(far_end, "+19025550177").send(TEXT, TO)
    assert refused.value.code == "quo.sender"
    assert "BACKHAUL_QUO_FROM" in refused.value.todo
    assert far_end.messages == []


async def test_every_request_counts_against_the_limit() -> None:
    limits, far_end = CountingLimits(), FarEnd()
    await QuoTexts(KEY, NUMBER, limits=limits, transport=far_end.transport).send(TEXT, TO)
    assert limits.taken == [("quo", 1)] * 2


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("", "quo.no_number"),
        ("902-555-0100", "quo.bad_number"),
        ("9025550100", "quo.bad_number"),
        ("+0902555", "quo.bad_number"),
        ("+1902555010012345", "quo.bad_number"),
        ("+1902555010\u0660", "quo.bad_number"),
        (f"{TO}\n", "quo.bad_number"),
    ],
)
async def test_a_missing_or_impossible_number_is_the_records_and_quo_is_not_asked(to: str, code: str) -> None:
    far_end = FarEnd()
    with pytest.raises(Unplaceable) as refused:
        await texts(far_end).send(TEXT, to)
    assert refused.value.code == code
    assert refused.value.todo
    assert far_end.requests == []
    with pytest.raises(Unplaceable):
        await texts(far_end).sent(TEXT, to, since=SINCE)


@pytest.mark.parametrize("text", ["", " \n", "x" * 1601])
async def test_an_empty_or_endless_text_is_the_templates_fault(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        await texts(FarEnd()).send(text, TO)
    assert refused.value.code == "quo.bad_text"
    assert "template" in refused.value.todo


# ── Refused, or silent ──

REFUSALS = [
    (
        400,
        "0206400",
        (Misconfigured, "quo.0206400", False),
        (
            "Texts to US numbers are not yet allowed",
            "US carrier registration is not finished",
            "Complete it in Quo; Canadian numbers are not covered by this rule",
        ),
    ),
    (400, "0200400", (Malformed, "quo.400", None), None),
    (
        401,
        "0200401",
        (Misconfigured, "quo.401", True),
        (
            "Quo does not accept our key",
            "It was deleted or mistyped",
            "A Quo owner or admin makes a new one under Workspace Settings → API",
        ),
    ),
    (
        402,
        "0201402",
        (Misconfigured, "quo.402", True),
        ("Quo's subscription or message credit has run out", "Billing", "The Quo account owner must renew or top up"),
    ),
    (
        402,
        "0200402",
        (Misconfigured, "quo.402", False),
        ("Quo's subscription or message credit has run out", "Billing", "The Quo account owner must renew or top up"),
    ),
    (
        403,
        "0204403",
        (Misconfigured, "quo.0204403", False),
        (
            "The daily limit of texts is reached",
            "US carriers cap each sender per day",
            "Try tomorrow or ask Quo support for a higher cap",
        ),
    ),
    (403, "0202403", (Misconfigured, "quo.403", False), None),
    (404, "0200404", (Misconfigured, "quo.sender", False), None),
    (409, "0200409", (Malformed, "quo.409", None), None),
    (422, "0200422", (Malformed, "quo.422", None), None),
    (429, "0200429", (RateLimited, "quo.rate_limited", None), None),
]


@pytest.mark.parametrize(("status", "code", "expected", "words"), REFUSALS, ids=[f"{one[0]}-{one[1]}" for one in REFUSALS])
async def test_each_refusal_has_its_class_its_words_and_holds_up_only_what_it_concerns(
    status: int, code: str, expected: tuple[type[OutsideProblem], str, bool | None], words: tuple[str, str, str] | None
) -> None:
    """everybodys: whether the contacts must wait, too."""
    problem = await problem_of(failing(status, {"message": f"no text to {TO}", "code": code, "status": status}))
    kind, our_code, everybodys = expected
    assert (type(problem), problem.code, problem.service) == (kind, our_code, "Quo")
    assert getattr(problem, "everybodys", None) is everybodys
    if words:
        assert (problem.what, problem.why, problem.todo) == words
    assert all((problem.what, problem.why, problem.todo))


@pytest.mark.parametrize("path", ["/to", "/to/0"])
async def test_a_number_that_quo_refuses_is_the_records(path: str) -> None:
    errors = [{"path": path, "message": f"'{TO}' is no number", "value": TO, "schema": {"type": "string"}}]
    problem = await problem_of(failing(400, {"message": f"Invalid {TO}", "code": "0200400", "errors": errors}))
    assert (type(problem), problem.code) == (Unplaceable, "quo.number_refused")
    assert problem.why == 'It answered 400: "Invalid […]"'
    assert "Correct it" in problem.todo


async def test_a_refusal_of_another_field_is_not_blamed_on_the_number() -> None:
    problem = await problem_of(failing(400, {"message": "Invalid", "errors": [{"path": "/content", "message": "too long"}]}))
    assert type(problem) is Malformed


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("headers", [None, {"Retry-After": "5"}], ids=["bare", "with Retry-After"])
async def test_a_fault_of_quo_leaves_unknown_whether_the_text_went(status: int, headers: dict[str, str] | None) -> None:
    problem = await problem_of(failing(status, {"title": "Unknown", "code": "0201500"}, headers=headers))
    assert type(problem) is OutcomeUnknown
    assert "Look in Quo" in problem.todo


@pytest.mark.parametrize("body", [None, {}, {"data": {"id": ""}}, {"data": {"id": 7}}, [], "a proxy's page"])
async def test_yes_without_an_id_leaves_unknown_whether_the_text_went(body: object) -> None:
    assert type(await problem_of(failing(202, body))) is OutcomeUnknown


@pytest.mark.parametrize(
    ("error", "kind"), [(httpx.ReadTimeout("silence"), OutcomeUnknown), (httpx.ConnectError("refused"), Transient)]
)
async def test_silence_leaves_it_unknown_and_no_connection_does_not(error: Exception, kind: type[OutsideProblem]) -> None:
    far_end = FarEnd()

    def silent(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            raise error
        return None

    far_end.before = silent
    assert type(await problem_of(far_end)) is kind


async def test_a_fault_before_the_text_is_handed_over_is_no_doubt() -> None:
    far_end = failing(500, {"title": "Unknown"}, method="GET")
    assert type(await problem_of(far_end)) is Transient
    assert far_end.asked == ["GET /v1/phone-numbers"]


# ── Looking ──


async def sent(far_end: FarEnd, text: str = TEXT) -> list[str]:
    return [one.message_id for one in await texts(far_end).sent(text, TO, since=SINCE)]


async def test_the_list_is_asked_for_one_number_since_a_time() -> None:
    far_end = FarEnd()
    await texts(far_end).sent(TEXT, TO, since=SINCE.astimezone(tz=None))
    assert dict(far_end.requests[-1].url.params) == {
        "phoneNumberId": "PN1",
        "participants": TO,
        "createdAfter": "2026-12-01T09:00:00Z",
        "maxResults": "50",
    }
    assert b"participants=%2B1902" in far_end.requests[-1].url.query


async def test_only_our_own_words_to_that_number_alone_are_found() -> None:
    far_end = FarEnd()
    far_end.keep("Your ride comes at 9:45")
    far_end.keep(direction="incoming")
    far_end.keep(to="+19025550111")
    far_end.keep()
    far_end.messages[-1]["to"] = [TO, "+19025550111"]  # a group thread
    far_end.keep(None)
    far_end.keep(at="2026-12-01T08:59:59Z")
    ours = far_end.keep()
    assert await sent(far_end) == [ours]


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("Jane's “ride”\ncomes at 9:30 ", 'Jane’s "ride" comes at 9:30'),
        ("Zoë: 9:30", "Zoe: 9:30"),
        ("Zoe\u0308: 9:30", "Zoë: 9:30"),
        ("🚗 🚗", "🚗  🚗"),
    ],
)
async def test_a_text_is_known_again_though_its_quotes_blanks_or_accents_came_back_otherwise(text: str, back: str) -> None:
    far_end = FarEnd()
    ours = far_end.keep(back)
    assert await sent(far_end, text) == [ours]


async def test_texts_without_a_letter_are_not_all_the_same() -> None:
    far_end = FarEnd()
    far_end.keep("🚗")
    assert await sent(far_end, "🏠") == []


async def test_the_list_is_read_to_its_last_page_and_told_oldest_first() -> None:
    far_end = FarEnd()
    made = [far_end.keep(at=f"2026-12-01T09:3{n}:00Z") for n in range(5)]
    assert await sent(far_end) == made


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": [{"id": "AC1"}]}, "a proxy's page"])
async def test_a_list_that_cannot_be_read_is_an_error_and_no_proof_of_absence(body: object) -> None:
    far_end = FarEnd()
    far_end.before = lambda request: httpx.Response(200, json=body) if request.url.path == "/v1/messages" else None
    with pytest.raises(Malformed) as caught:
        await sent(far_end)
    assert caught.value.code == "quo.unreadable"


async def test_a_look_that_fails_is_repeated_without_harm() -> None:
    far_end = FarEnd()
    far_end.before = lambda request: httpx.Response(500) if request.url.path == "/v1/messages" else None
    with pytest.raises(Transient):
        await sent(far_end)


async def test_what_became_of_a_text_can_be_asked() -> None:
    far_end = FarEnd()
    message_id = far_end.keep(status="undelivered")
    assert await texts(far_end).status(message_id) == "undelivered"
    with pytest.raises(Gone):
        await texts(far_end).status("../contacts?x=1")
    assert far_end.requests[-1].url.raw_path == b"/v1/messages/..%2Fcontacts%3Fx%3D1"


def test_answer_survives_being_kept_as_a_checkpoint() -> None:
    adapter = TypeAdapter(Sent)
    kept = Sent(message_id="AC1", status="queued")
    assert adapter.validate_json(adapter.dump_json(kept)) == kept
