"""Quo contacts: what sync_quo, and the office whose address book this is, may rely on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from backhaul.core.errors import (
    Gone,
    Malformed,
    Misconfigured,
    OutcomeUnknown,
    OutsideProblem,
    RateLimited,
    Transient,
)
from backhaul.core.outbound import NO_LIMITS
from backhaul.outside.quo import Contact, Kept, Quo
from tests.fakes import CountingLimits

KEY = "quo-secret-key-42"
JANE = Contact(first_name="Jane", last_name="Roe", phone="+19025550100", email="jane@example.test")
EXTERNAL_ID = "client:7"

Body = dict[str, Any]


class FakeQuo:
    """The far end: contacts in memory, replaced whole by PATCH and never made unique, as Quo's are."""

    def __init__(self, *contacts: Body) -> None:
        self.contacts: dict[str, Body] = {contact["id"]: contact for contact in contacts}
        self.requests: list[httpx.Request] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.after: Callable[[httpx.Request], None] = lambda _: None
        self.transport = httpx.MockTransport(self._answer)

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def body(self, method: str) -> Body:
        """Of the one request with this method."""
        (request,) = (request for request in self.requests if request.method == method)
        return dict(json.loads(request.content))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.before(request) or self._act(request)
        self.after(request)
        return answer

    def _act(self, request: httpx.Request) -> httpx.Response:
        contact_id = request.url.path.removeprefix("/v1/contacts").lstrip("/")
        match request.method, contact_id:
            case "GET", "":
                wanted = request.url.params.get_list("externalIds")
                found = [contact for contact in self.contacts.values() if contact.get("externalId") in wanted]
                return httpx.Response(200, json={"data": found, "totalItems": 0, "nextPageToken": None})
            case "POST", "":
                made = json.loads(request.content) | {"id": f"made-{len(self.contacts)}"}
                self.contacts[made["id"]] = made
                return httpx.Response(201, json={"data": made})
            case _, contact_id if contact_id not in self.contacts:
                return httpx.Response(404, json={"message": "no such contact", "code": "0800404", "status": 404})
            case "PATCH", _:
                self.contacts[contact_id] = json.loads(request.content) | {"id": contact_id}
        return httpx.Response(200, json={"data": self.contacts[contact_id]})


def stored(contact_id: str = "Q1", external_id: str | None = EXTERNAL_ID, **fields: object) -> Body:
    return {"id": contact_id, "externalId": external_id, "defaultFields": {"firstName": "J."}, "customFields": [], **fields}


def quo(far_end: FakeQuo) -> Quo:
    return Quo(KEY, limits=NO_LIMITS, transport=far_end.transport)


async def put(far_end: FakeQuo, contact_id: str | None = None, contact: Contact = JANE) -> Kept:
    return await quo(far_end).put_contact(contact, external_id=EXTERNAL_ID, contact_id=contact_id)


async def problem_of(far_end: FakeQuo, contact_id: str | None = None) -> OutsideProblem:
    with pytest.raises(OutsideProblem) as caught:
        await put(far_end, contact_id)
    shown = repr(vars(caught.value)) + str(caught.value)
    for private in (KEY, "Jane", "Roe", "+19025550100", "jane@example.test"):
        assert private not in shown
    return caught.value


def failing(method: str, status: int, body: object = None, headers: dict[str, str] | None = None) -> FakeQuo:
    far_end = FakeQuo()
    far_end.before = lambda request: httpx.Response(status, json=body, headers=headers) if request.method == method else None
    return far_end


# ── Look before creating ──


async def test_unknown_contact_is_created_with_our_id_and_source() -> None:
    far_end = FakeQuo()
    assert await put(far_end) == Kept(contact_id="made-0", created=True)
    assert far_end.asked == ["GET /v1/contacts", "POST /v1/contacts"]
    assert dict(far_end.requests[0].url.params) == {"externalIds": "client:7", "maxResults": "50"}
    assert far_end.body("POST") == {
        "defaultFields": {
            "firstName": "Jane",
            "lastName": "Roe",
            "phoneNumbers": [{"name": "Dispatch", "value": "+19025550100"}],
            "emails": [{"name": "Dispatch", "value": "jane@example.test"}],
        },
        "externalId": "client:7",
        "source": "dispatch",
    }


async def test_what_we_do_not_know_of_a_person_is_not_made_up() -> None:
    far_end = FakeQuo()
    await put(far_end, contact=Contact(first_name="Jane"))
    assert far_end.body("POST")["defaultFields"] == {"firstName": "Jane", "phoneNumbers": [], "emails": []}


async def test_key_goes_bare_without_bearer_to_the_new_host() -> None:
    far_end = FakeQuo()
    await put(far_end)
    for request in far_end.requests:
        assert request.headers["Authorization"] == KEY
        assert request.url.host == "api.quo.com"
        assert "Quo-Api-Version" not in request.headers


async def test_known_contact_is_updated_without_a_look_up() -> None:
    far_end = FakeQuo(stored())
    assert await put(far_end, contact_id="Q1") == Kept(contact_id="Q1", created=False)
    assert far_end.asked == ["GET /v1/contacts/Q1", "PATCH /v1/contacts/Q1"]


async def test_contact_with_our_id_is_adopted() -> None:
    far_end = FakeQuo(stored("Q9"))
    assert await put(far_end) == Kept(contact_id="Q9", created=False)
    assert far_end.asked == ["GET /v1/contacts", "GET /v1/contacts/Q9", "PATCH /v1/contacts/Q9"]


async def test_of_several_contacts_with_our_id_the_oldest_is_adopted() -> None:
    far_end = FakeQuo(stored("Q2", createdAt="2026-02-01T00:00:00Z"), stored("Q1", createdAt="2026-01-01T00:00:00Z"))
    assert (await put(far_end)).contact_id == "Q1"


async def test_contact_deleted_in_quo_is_looked_up_and_then_created_again() -> None:
    far_end = FakeQuo()
    assert await put(far_end, contact_id="Q1") == Kept(contact_id="made-0", created=True)
    assert far_end.asked == ["GET /v1/contacts/Q1", "GET /v1/contacts", "POST /v1/contacts"]

    far_end = FakeQuo(stored("Q2"))
    assert await put(far_end, contact_id="Q1") == Kept(contact_id="Q2", created=False)


async def test_contact_deleted_between_reading_and_writing_is_created_again() -> None:
    far_end = FakeQuo(stored("Q1"))
    far_end.after = lambda request: far_end.contacts.clear() if request.url.path.endswith("/Q1") else None
    assert await put(far_end, contact_id="Q1") == Kept(contact_id="made-0", created=True)


async def test_attempt_whose_answer_was_lost_is_safe_to_repeat() -> None:
    far_end = FakeQuo()

    def lose_the_answer(request: httpx.Request) -> None:
        if request.method == "POST":
            raise httpx.ReadTimeout("silence")

    far_end.after = lose_the_answer
    assert type(await problem_of(far_end)) is OutcomeUnknown
    assert len(far_end.contacts) == 1
    assert await put(far_end) == Kept(contact_id="made-0", created=False)
    assert len(far_end.contacts) == 1


async def test_yes_without_an_id_leaves_the_outcome_unknown() -> None:
    bodies: list[object] = [None, {}, {"data": {"id": ""}}, {"data": {"id": 7}}, []]
    for body in bodies:
        assert type(await problem_of(failing("POST", 201, body))) is OutcomeUnknown


async def test_stranger_is_never_adopted_should_the_look_up_ignore_our_id() -> None:
    far_end = FakeQuo()
    far_end.before = lambda request: httpx.Response(200, json={"data": [stored("Q5", external_id="client:8")]})
    problem = await problem_of(far_end)
    assert (type(problem), problem.code) == (Malformed, "quo.unreadable")
    assert far_end.asked == ["GET /v1/contacts"]


async def test_conflict_on_create_is_looked_up_and_adopted() -> None:
    far_end = FakeQuo()

    def somebody_else_creates(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            far_end.contacts["Q3"] = stored("Q3")
            return httpx.Response(409, json={"message": "Conflict", "code": "0800409"})
        return None

    far_end.before = somebody_else_creates
    assert await put(far_end) == Kept(contact_id="Q3", created=False)


async def test_conflict_on_create_without_a_contact_of_ours_is_tried_again() -> None:
    far_end = failing("POST", 409, {"message": "Conflict", "code": "0800409"})
    problem = await problem_of(far_end)
    assert (type(problem), problem.code) == (Transient, "quo.409")
    assert far_end.asked == ["GET /v1/contacts", "POST /v1/contacts", "GET /v1/contacts"]


async def test_contact_id_cannot_lead_to_another_path() -> None:
    far_end = FakeQuo()
    await put(far_end, contact_id="../messages?x=1")
    assert far_end.requests[0].url.raw_path == b"/v1/contacts/..%2Fmessages%3Fx%3D1"


# ── Update without deleting what is not ours ──


async def test_update_sends_everything_back_that_is_not_ours() -> None:
    theirs = stored(
        source="import",
        sourceUrl="https://example.test/7",
        createdByUserId="US1",
        somethingNew=True,
        defaultFields={
            "firstName": "J.",
            "lastName": "R.",
            "company": "Acme",
            "role": "Aunt",
            "phoneNumbers": [
                {"id": "p1", "name": "Home", "value": "+19025550111"},
                {"id": "p2", "name": "Dispatch", "value": "+19025550122"},
            ],
            "emails": [{"id": "e1", "name": "Work", "value": "work@example.test"}],
        },
        customFields=[
            {"id": "c1", "key": "wheelchair", "name": "Wheelchair", "type": "boolean", "value": False},
            {"key": "tags", "name": "Tags", "type": "multi-select", "value": ["a", "b"]},
            {"key": "empty", "name": "Empty", "type": "string", "value": None},
        ],
    )
    far_end = FakeQuo(theirs)
    await put(far_end, contact_id="Q1")
    assert far_end.body("PATCH") == {
        "externalId": "client:7",
        "source": "import",
        "sourceUrl": "https://example.test/7",
        "defaultFields": {
            "firstName": "Jane",
            "lastName": "Roe",
            "company": "Acme",
            "role": "Aunt",
            "phoneNumbers": [
                {"id": "p1", "name": "Home", "value": "+19025550111"},
                {"id": "p2", "name": "Dispatch", "value": "+19025550100"},
            ],
            "emails": [
                {"id": "e1", "name": "Work", "value": "work@example.test"},
                {"name": "Dispatch", "value": "jane@example.test"},
            ],
        },
        "customFields": [{"id": "c1", "key": "wheelchair", "value": False}, {"key": "tags", "value": ["a", "b"]}],
    }


@pytest.mark.parametrize("source", ["openphone", "openphone-web", "csv", "csv-v2", "device", "zapier", "google-people", "other"])
async def test_source_that_quo_keeps_for_itself_is_not_sent_back(source: str) -> None:
    far_end = FakeQuo(stored(source=source))
    await put(far_end, contact_id="Q1")
    assert "source" not in far_end.body("PATCH")


async def test_number_that_somebody_has_entered_already_is_not_entered_twice() -> None:
    phones = [
        {"id": "p1", "name": "Mobile", "value": "+19025550100"},
        {"id": "p2", "name": "Dispatch", "value": "+19025550122"},
    ]
    far_end = FakeQuo(stored(defaultFields={"firstName": "Jane", "phoneNumbers": phones}))
    await put(far_end, contact_id="Q1")
    assert far_end.body("PATCH")["defaultFields"]["phoneNumbers"] == phones[:1]


async def test_what_we_no_longer_know_goes_if_it_was_ours_and_stays_if_it_was_not() -> None:
    phones = [{"id": "p1", "name": "Home", "value": "+19025550111"}, {"id": "p2", "name": "Dispatch", "value": "+19025550100"}]
    far_end = FakeQuo(stored(defaultFields={"firstName": "J.", "lastName": "Roe", "phoneNumbers": phones}))
    await put(far_end, contact_id="Q1", contact=Contact(first_name="Jane"))
    fields = far_end.body("PATCH")["defaultFields"]
    assert fields == {"firstName": "Jane", "lastName": "Roe", "phoneNumbers": phones[:1], "emails": []}


async def test_nulls_in_a_contact_are_read_as_absent() -> None:
    fields = {"firstName": None, "lastName": None, "company": None, "role": None, "phoneNumbers": None, "emails": None}
    far_end = FakeQuo(stored(defaultFields=fields, customFields=None, source=None, sourceUrl=None))
    await put(far_end, contact_id="Q1")
    assert set(far_end.body("PATCH")["defaultFields"]) == {"firstName", "lastName", "phoneNumbers", "emails"}


AN_ITEM = st.fixed_dictionaries(
    {
        "id": st.text(alphabet="abc", min_size=1, max_size=3),
        "name": st.sampled_from(["Home", "Mobile", "Dispatch", "dispatch"]),
        "value": st.sampled_from(["+19025550100", "+19025550111", "+19025550122"]),
    }
)


@given(phones=st.lists(AN_ITEM, max_size=5))
async def test_no_update_loses_a_number_of_others_and_a_second_one_changes_nothing(phones: list[Body]) -> None:
    far_end = FakeQuo(stored(defaultFields={"firstName": "J.", "phoneNumbers": phones}))
    await put(far_end, contact_id="Q1")
    once = far_end.contacts["Q1"]["defaultFields"]["phoneNumbers"]
    assert [item for item in once if item["name"] != "Dispatch"] == [item for item in phones if item["name"] != "Dispatch"]
    assert "+19025550100" in [item["value"] for item in once]
    await put(far_end, contact_id="Q1")
    assert far_end.contacts["Q1"]["defaultFields"]["phoneNumbers"] == once


# ── What goes wrong ──

KEY_REFUSED = (
    "Quo does not accept our key",
    "It was deleted or mistyped",
    "A Quo owner or admin makes a new one under Workspace Settings → API",
)
UNPAID = ("Quo's subscription or message credit has run out", "Billing", "The Quo account owner must renew or top up")
UNREGISTERED = (
    "Texts to US numbers are not yet allowed",
    "US carrier registration is not finished",
    "Complete it in Quo; Canadian numbers are not covered by this rule",
)
CAPPED = (
    "The daily limit of texts is reached",
    "US carriers cap each sender per day",
    "Try tomorrow or ask Quo support for a higher cap",
)
SLOW = ("Quo asked us to slow down", "Too many requests in a short time", "Nothing to do; it is tried again by itself")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("status", "vendor_code", "expected"),
    [
        (400, "0800400", (Malformed, "quo.400", None)),
        (400, "0206400", (Misconfigured, "quo.0206400", UNREGISTERED)),
        (401, "0200401", (Misconfigured, "quo.401", KEY_REFUSED)),
        (402, "0201402", (Misconfigured, "quo.402", UNPAID)),
        (402, "0200402", (Misconfigured, "quo.402", UNPAID)),
        (403, "0202403", (Misconfigured, "quo.403", None)),
        (403, "0204403", (Misconfigured, "quo.0204403", CAPPED)),
        (404, "0200404", (Gone, "quo.404", None)),
        (422, "0800422", (Malformed, "quo.422", None)),
        (429, "0200429", (RateLimited, "quo.rate_limited", SLOW)),
    ],
)
async def test_each_code_has_its_class_and_text(
    method: str, status: int, vendor_code: str, expected: tuple[type[OutsideProblem], str, tuple[str, str, str] | None]
) -> None:
    body = {"title": "A title", "message": "a message about Jane", "code": vendor_code, "status": status}
    problem = await problem_of(failing(method, status, body))
    kind, code, texts = expected
    assert (type(problem), problem.code, problem.service) == (kind, code, "Quo")
    if texts:
        assert (problem.what, problem.why, problem.todo) == texts
    else:
        assert problem.why == f'It answered {status}: "A title · a message about […] · {vendor_code}"'
        assert problem.todo


async def test_person_is_not_named_even_where_the_request_did_not_name_them() -> None:
    far_end = FakeQuo(stored())
    far_end.before = lambda _: httpx.Response(403, json={"message": "Jane Roe is read-only"})
    assert (await problem_of(far_end, contact_id="Q1")).why == 'It answered 403: "[…] […] is read-only"'


async def test_fault_of_quo_is_transient_on_a_read_and_unknown_on_a_create() -> None:
    for status in (500, 502, 503, 504):
        body = {"title": "Unknown", "code": "0201500"}
        assert type(await problem_of(failing("GET", status, body))) is Transient
        assert type(await problem_of(failing("POST", status, body))) is OutcomeUnknown
    known = failing("PATCH", 500)
    known.contacts["Q1"] = stored()
    assert type(await problem_of(known, contact_id="Q1")) is Transient


async def test_pause_is_one_second_unless_quo_says_otherwise() -> None:
    for headers, pause in ((None, 1.0), ({"Retry-After": "3"}, 3.0)):
        problem = await problem_of(failing("GET", 429, {}, headers))
        assert isinstance(problem, RateLimited)
        assert problem.retry_after == pause


async def test_faulty_fields_are_named_but_not_what_they_hold() -> None:
    errors = [
        {"path": "/defaultFields/phoneNumbers/0/value", "message": "'+19025550100' is no number", "value": "+19025550100"},
        "not an object",
    ]
    problem = await problem_of(failing("POST", 400, {"message": "Invalid Jane Roe", "errors": errors}))
    assert problem.why == "It answered 400: \"Invalid […] […] · /defaultFields/phoneNumbers/0/value: '[…]' is no number\""
    for odd in (7, "text", {"a": 1}, None):
        assert (await problem_of(failing("POST", 400, {"message": "Invalid", "errors": odd}))).why == 'It answered 400: "Invalid"'


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": {}}, {"data": [{"externalId": "client:7"}]}, "page"])
async def test_answer_of_another_shape_is_an_error_and_never_a_reason_to_create(body: object) -> None:
    far_end = failing("GET", 200, body)
    for contact_id in (None, "Q1"):
        problem = await problem_of(far_end, contact_id)
        assert (type(problem), problem.code) == (Malformed, "quo.unreadable")
    assert not [asked for asked in far_end.asked if asked.startswith("POST")]


async def test_every_request_counts_against_the_limit() -> None:
    limits = CountingLimits()
    far_end = FakeQuo(stored())
    await Quo(KEY, limits=limits, transport=far_end.transport).put_contact(JANE, external_id=EXTERNAL_ID)
    assert limits.taken == [("quo", 1)] * 3


# ── The contact itself ──


@pytest.mark.parametrize("phone", ["902-555-0100", "9025550100", "+0902555010", "+1902555010012345", "+1 902 555 0100", ""])
def test_only_numbers_in_international_form_are_taken_and_a_refusal_does_not_repeat_them(phone: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Contact(first_name="Jane", phone=phone)
    assert not phone or phone not in str(caught.value)


def test_answer_survives_being_kept_as_a_checkpoint() -> None:
    adapter = TypeAdapter(Kept)
    kept = Kept(contact_id="Q1", created=True)
    assert adapter.validate_json(adapter.dump_json(kept)) == kept
