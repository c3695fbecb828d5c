"""Quo contacts, on both of its surfaces: what sync_quo, and the office whose address book this is, may rely on."""

from __future__ import annotations

import json
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
from backhaul.sandbox.app import create_app
from tests.fakes import CountingLimits
from tests.quo_far_ends import EXTERNAL_ID, V1, Body, Dated, FarEnd

KEY = "quo-secret-key-42"
JANE = Contact(first_name="Jane", last_name="Roe", phone="+19025550100", email="jane@example.test")
HOME = {"id": "p1", "name": "Home", "value": "+19025550111"}
OURS = {"id": "p2", "name": "Dispatch", "value": "+19025550122"}

on_both = pytest.mark.parametrize("kind", [V1, Dated], ids=["v1", "dated"])


def quo(far_end: FarEnd) -> Quo:
    return Quo(KEY, limits=NO_LIMITS, api=far_end.api, transport=far_end.transport)


async def put(far_end: FarEnd, contact_id: str | None = None, contact: Contact = JANE) -> Kept:
    return await quo(far_end).put_contact(contact, external_id=EXTERNAL_ID, contact_id=contact_id)


async def problem_of(far_end: FarEnd, contact_id: str | None = None) -> OutsideProblem:
    with pytest.raises(OutsideProblem) as caught:
        await put(far_end, contact_id)
    shown = repr(vars(caught.value)) + str(caught.value)
    for private in (KEY, "Jane", "Roe", "+19025550100", "jane@example.test"):
        assert private not in shown
    return caught.value


def failing(kind: type[FarEnd], method: str, status: int, body: object = None, headers: dict[str, str] | None = None) -> FarEnd:
    far_end = kind()
    far_end.before = lambda request: httpx.Response(status, json=body, headers=headers) if request.method == method else None
    return far_end


# ── Look before creating ──


@on_both
async def test_unknown_contact_is_created_as_we_know_it(kind: type[FarEnd]) -> None:
    far_end = kind()
    assert await put(far_end) == Kept(contact_id="made-0", created=True)
    assert far_end.asked[:2] == ["GET /contacts", "POST /contacts"]
    assert far_end.view("made-0") == {
        "firstName": "Jane",
        "lastName": "Roe",
        "company": None,
        "phones": [{"name": "Dispatch", "value": "+19025550100"}],
        "emails": [{"name": "Dispatch", "value": "jane@example.test"}],
    }
    made = far_end.contacts["made-0"]
    assert (made["externalId"], made["source"]) == ("client:7", "dispatch")


@on_both
async def test_what_we_do_not_know_of_a_person_is_not_made_up(kind: type[FarEnd]) -> None:
    far_end = kind()
    await put(far_end, contact=Contact(first_name="Jane"))
    made = far_end.view("made-0")
    assert (made["firstName"], made["lastName"], made["phones"], made["emails"]) == ("Jane", None, [], [])


@on_both
async def test_key_goes_bare_without_bearer_to_the_new_host(kind: type[FarEnd]) -> None:
    far_end = kind()
    await put(far_end)
    for request in far_end.requests:
        assert request.headers["Authorization"] == KEY
        assert request.url.host == "api.quo.com"
        assert request.headers.get("Quo-Api-Version") == ("2026-03-30" if kind is Dated else None)
        assert request.url.path.startswith("/v1/") is (kind is V1)


@on_both
async def test_known_contact_is_updated_without_a_look_up(kind: type[FarEnd]) -> None:
    far_end = kind().keep()
    assert await put(far_end, contact_id="Q1") == Kept(contact_id="Q1", created=False)
    assert "GET /contacts" not in far_end.asked
    assert far_end.view("Q1")["firstName"] == "Jane"


@on_both
async def test_contact_with_our_id_is_adopted(kind: type[FarEnd]) -> None:
    far_end = kind().keep("Q9")
    assert await put(far_end) == Kept(contact_id="Q9", created=False)
    assert "POST /contacts" not in far_end.asked
    assert far_end.view("Q9")["phones"] == [{"name": "Dispatch", "value": "+19025550100"}]


@on_both
async def test_of_several_contacts_with_our_id_the_oldest_is_adopted(kind: type[FarEnd]) -> None:
    far_end = kind().keep("Q2", created_at="2026-02-01T00:00:00Z").keep("Q1", created_at="2026-01-01T00:00:00Z")
    assert (await put(far_end)).contact_id == "Q1"


@on_both
async def test_contact_deleted_in_quo_is_looked_up_and_then_created_again(kind: type[FarEnd]) -> None:
    far_end = kind()
    assert await put(far_end, contact_id="Q1") == Kept(contact_id="made-0", created=True)
    assert far_end.asked[1:3] == ["GET /contacts", "POST /contacts"]

    far_end = kind().keep("Q2")
    assert await put(far_end, contact_id="Q1") == Kept(contact_id="Q2", created=False)


@on_both
async def test_contact_deleted_in_the_middle_of_an_update_is_created_again(kind: type[FarEnd]) -> None:
    far_end = kind().keep("Q1")
    far_end.after = lambda request: far_end.contacts.clear() if request.url.path.endswith("/Q1") else None
    assert await put(far_end, contact_id="Q1") == Kept(contact_id="made-0", created=True)


@on_both
async def test_attempt_whose_answer_was_lost_is_safe_to_repeat(kind: type[FarEnd]) -> None:
    """Whichever of the answers it was, of a creation that takes several requests."""
    whole = kind()
    await put(whole)
    for lost in range(len(whole.requests)):
        far_end = kind()

        def lose_one(request: httpx.Request, far_end: FarEnd = far_end, lost: int = lost) -> None:
            if len(far_end.requests) == lost + 1:
                raise httpx.ReadTimeout("silence")

        far_end.after = lose_one
        expected = OutcomeUnknown if whole.requests[lost].method == "POST" else Transient
        assert type(await problem_of(far_end)) is expected
        kept = await put(far_end)
        assert list(far_end.contacts) == [kept.contact_id]
        assert far_end.view(kept.contact_id) == whole.view("made-0")


@on_both
async def test_yes_without_an_id_leaves_the_outcome_unknown(kind: type[FarEnd]) -> None:
    bodies: list[object] = [None, {}, {"data": {"id": ""}}, {"data": {"id": 7}}, []]
    for body in bodies:
        assert type(await problem_of(failing(kind, "POST", 201, body))) is OutcomeUnknown


@on_both
async def test_stranger_is_never_adopted_should_the_look_up_ignore_our_id(kind: type[FarEnd]) -> None:
    far_end = kind()
    stranger = kind().keep("Q5", external_id="client:8").contacts["Q5"]
    far_end.before = lambda request: httpx.Response(200, json={"data": [stranger]})
    problem = await problem_of(far_end)
    assert (type(problem), problem.code) == (Malformed, "quo.unreadable")
    assert far_end.asked == ["GET /contacts"]
    assert await quo(far_end).knows(EXTERNAL_ID) is False


@on_both
async def test_conflict_on_create_is_looked_up_and_adopted(kind: type[FarEnd]) -> None:
    far_end = kind()

    def somebody_else_creates(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and request.url.path == far_end.contacts_path:
            far_end.keep("Q3")
            return httpx.Response(409, json={"message": "Conflict", "code": "0800409"})
        return None

    far_end.before = somebody_else_creates
    assert await put(far_end) == Kept(contact_id="Q3", created=False)


@on_both
async def test_conflict_on_create_without_a_contact_of_ours_is_tried_again(kind: type[FarEnd]) -> None:
    far_end = failing(kind, "POST", 409, {"message": "Conflict", "code": "0800409"})
    problem = await problem_of(far_end)
    assert (type(problem), problem.code) == (Transient, "quo.409")
    assert far_end.asked == ["GET /contacts", "POST /contacts", "GET /contacts"]


@on_both
async def test_contact_id_cannot_lead_to_another_path(kind: type[FarEnd]) -> None:
    far_end = kind()
    await put(far_end, contact_id="../messages?x=1")
    assert far_end.requests[0].url.raw_path == f"{far_end.contacts_path}/..%2Fmessages%3Fx%3D1".encode()


@on_both
async def test_whether_a_contact_is_there_can_be_asked(kind: type[FarEnd]) -> None:
    assert await quo(kind().keep()).knows(EXTERNAL_ID) is True
    assert await quo(kind()).knows(EXTERNAL_ID) is False


# ── Update without deleting what is not ours ──


@on_both
async def test_update_changes_what_is_ours_and_leaves_the_rest(kind: type[FarEnd]) -> None:
    work = {"id": "e1", "name": "Work", "value": "work@example.test"}
    far_end = kind().keep(last_name="R.", company="Acme", phones=[HOME, OURS], emails=[work])
    await put(far_end, contact_id="Q1")
    assert far_end.view("Q1") == {
        "firstName": "Jane",
        "lastName": "Roe",
        "company": "Acme",
        "phones": [{"name": "Home", "value": "+19025550111"}, {"name": "Dispatch", "value": "+19025550100"}],
        "emails": [{"name": "Work", "value": "work@example.test"}, {"name": "Dispatch", "value": "jane@example.test"}],
    }


@on_both
async def test_number_that_somebody_has_entered_already_is_not_entered_twice(kind: type[FarEnd]) -> None:
    mobile = {"name": "Mobile", "value": "+19025550100"}
    far_end = kind().keep(phones=[{"id": "p1", **mobile}, OURS])
    await put(far_end, contact_id="Q1")
    assert far_end.view("Q1")["phones"] == [mobile]


@on_both
async def test_what_we_no_longer_know_goes_if_it_was_ours_and_stays_if_it_was_not(kind: type[FarEnd]) -> None:
    far_end = kind().keep(last_name="Roe", phones=[HOME, OURS])
    await put(far_end, contact_id="Q1", contact=Contact(first_name="Jane"))
    now = far_end.view("Q1")
    assert (now["lastName"], now["phones"], now["emails"]) == ("Roe", [{"name": "Home", "value": "+19025550111"}], [])


AN_ITEM = st.fixed_dictionaries(
    {
        "id": st.text(alphabet="abc", min_size=1, max_size=3),
        "name": st.sampled_from(["Home", "Mobile", "Dispatch", "dispatch"]),
        "value": st.sampled_from(["+19025550100", "+19025550111", "+19025550122"]),
    }
)


@on_both
@given(phones=st.lists(AN_ITEM, max_size=5))
async def test_no_update_loses_a_number_of_others_and_a_second_one_changes_nothing(
    kind: type[FarEnd], phones: list[Body]
) -> None:
    far_end = kind().keep(phones=phones)
    others = [item for item in far_end.view("Q1")["phones"] if item["name"] != "Dispatch"]
    await put(far_end, contact_id="Q1")
    once = far_end.view("Q1")["phones"]
    assert [item for item in once if item["name"] != "Dispatch"] == others
    assert "+19025550100" in [item["value"] for item in once]
    assert sum(item["name"] == "Dispatch" for item in once) <= 1
    await put(far_end, contact_id="Q1")
    assert far_end.view("Q1")["phones"] == once


# ── v1: everything is sent back ──


async def test_v1_is_asked_in_its_own_words() -> None:
    far_end = V1()
    await put(far_end)
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


async def test_a_v1_update_sends_everything_back_that_is_not_ours() -> None:
    far_end = V1().store(
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
    far_end = V1().store(source=source)
    await put(far_end, contact_id="Q1")
    assert "source" not in far_end.body("PATCH")


async def test_nulls_in_a_v1_contact_are_read_as_absent() -> None:
    fields = {"firstName": None, "lastName": None, "company": None, "role": None, "phoneNumbers": None, "emails": None}
    far_end = V1().store(defaultFields=fields, customFields=None, source=None, sourceUrl=None)
    await put(far_end, contact_id="Q1")
    assert set(far_end.body("PATCH")["defaultFields"]) == {"firstName", "lastName", "phoneNumbers", "emails"}


# ── The dated surface: one thing at a time ──


async def test_the_dated_surface_is_asked_in_its_own_words() -> None:
    far_end = Dated()
    await put(far_end)
    assert dict(far_end.requests[0].url.params) == {"externalId": "client:7", "limit": "50"}
    created, phone, email = [request for request in far_end.requests if request.method == "POST"]
    assert json.loads(created.content) == {
        "firstName": "Jane",
        "lastName": "Roe",
        "externalId": "client:7",
        "source": "dispatch",
    }
    assert json.loads(phone.content) == {"type": "phone-number", "name": "Dispatch", "value": "+19025550100"}
    assert json.loads(email.content) == {"type": "email", "name": "Dispatch", "value": "jane@example.test"}


async def test_a_dated_patch_names_what_we_know_and_no_list() -> None:
    far_end = Dated().keep()
    await put(far_end, contact_id="Q1", contact=Contact(first_name="Jane"))
    assert far_end.body("PATCH") == {"firstName": "Jane", "externalId": "client:7"}


async def test_a_property_is_never_added_without_looking_at_those_that_are_there() -> None:
    far_end = Dated().keep()
    await put(far_end, contact_id="Q1")
    for n, asked in enumerate(far_end.asked):
        if asked == "POST /contacts/Q1/properties":
            assert far_end.asked[n - 1] == "GET /contacts/Q1/properties"
    await put(far_end, contact_id="Q1")
    assert far_end.asked.count("POST /contacts/Q1/properties") == 2


async def test_a_property_that_is_right_is_left_alone_and_a_wrong_one_changed_in_place() -> None:
    far_end = Dated().keep(phones=[{**OURS, "value": "+19025550100"}])
    await put(far_end, contact_id="Q1", contact=Contact(first_name="Jane", phone="+19025550100"))
    assert far_end.asked == ["PATCH /contacts/Q1", *["GET /contacts/Q1/properties"] * 2]
    await put(far_end, contact_id="Q1", contact=Contact(first_name="Jane", phone="+19025550133"))
    assert json.loads(far_end.requests[-2].content) == {"value": "+19025550133"}
    assert far_end.asked[-2] == "PATCH /contacts/Q1/properties/phones-0"


async def test_properties_are_read_to_the_last_page() -> None:
    many = [{"name": f"Line {n}", "value": f"+1902555020{n}"} for n in range(8)]
    far_end = Dated().keep(phones=[*many, OURS])
    await put(far_end, contact_id="Q1")
    assert [item["name"] for item in far_end.view("Q1")["phones"]].count("Dispatch") == 1


async def test_a_property_deleted_by_somebody_else_meanwhile_is_gone_as_wanted() -> None:
    far_end = Dated().keep(phones=[OURS])
    far_end.before = lambda request: httpx.Response(404, json={}) if request.method == "DELETE" else None
    await put(far_end, contact_id="Q1", contact=Contact(first_name="Jane"))


# ── Notes ──

MARK = "[trip 4711]"


async def note(far_end: FarEnd, text: str | None, *, mark: str = MARK) -> None:
    await quo(far_end).put_note("Q1", text, mark=mark)


def texts(far_end: Dated) -> list[str]:
    return [one["text"] for one in far_end.notes["Q1"]]


async def test_a_note_is_made_changed_and_removed_by_its_mark() -> None:
    far_end = Dated().keep()
    far_end.notes["Q1"] += [{"id": f"theirs-{n}", "text": f"Theirs {n}"} for n in range(4)]
    theirs = texts(far_end)
    await note(far_end, "1 December, 9:30")
    await note(far_end, "1 December, 10:00")
    await note(far_end, "2 December", mark="[trip 4712]")
    assert texts(far_end) == [*theirs, "1 December, 10:00\n[trip 4711]", "2 December\n[trip 4712]"]
    await note(far_end, None)
    assert texts(far_end) == [*theirs, "2 December\n[trip 4712]"]


async def test_a_note_that_is_right_is_left_alone() -> None:
    far_end = Dated().keep()
    await note(far_end, "1 December")
    before = len(far_end.requests)
    await note(far_end, "1 December")
    assert far_end.asked[before:] == ["GET /contacts/Q1/notes"]


async def test_a_note_whose_answer_was_lost_is_not_made_twice() -> None:
    far_end = Dated().keep()

    def lose(request: httpx.Request) -> None:
        if request.method == "POST":
            raise httpx.ReadTimeout("silence")

    far_end.after = lose
    with pytest.raises(OutcomeUnknown):
        await note(far_end, "1 December")
    await note(far_end, "1 December")
    assert texts(far_end) == ["1 December\n[trip 4711]"]


async def test_a_note_made_twice_before_us_becomes_one() -> None:
    far_end = Dated().keep()
    far_end.notes["Q1"] += [{"id": f"n{n}", "text": f"old {n}\n{MARK}"} for n in range(2)]
    await note(far_end, "new")
    assert texts(far_end) == [f"new\n{MARK}"]


async def test_a_note_calls_nobody_and_is_cut_to_what_quo_takes() -> None:
    far_end = Dated().keep()
    await note(far_end, "@US123 and @OR9, by mail@example.test")
    assert texts(far_end) == [f"@ US123 and @ OR9, by mail@example.test\n{MARK}"]
    await note(far_end, "x" * 5000)
    (kept,) = texts(far_end)
    assert len(kept) == 2000
    assert kept.endswith(f"x…\n{MARK}")


async def test_a_note_on_a_contact_that_is_gone_says_so() -> None:
    with pytest.raises(Gone, match="no longer in Quo"):
        await note(Dated(), "1 December")


async def test_v1_has_no_notes_and_says_which_setting_brings_them() -> None:
    assert quo(Dated()).keeps_notes
    assert not quo(V1()).keeps_notes
    with pytest.raises(Misconfigured) as refused:
        await note(V1().keep(), "1 December")
    assert (refused.value.code, refused.value.everybodys) == ("quo.no_notes", False)
    assert "BACKHAUL_QUO_API" in refused.value.todo


# ── What goes wrong ──

KEY_REFUSED = (
    "Quo does not accept our key",
    "It was deleted or mistyped",
    "A Quo owner or admin makes a new one under Workspace Settings → API",
)
UNPAID = ("Quo's subscription or message credit has run out", "Billing", "The Quo account owner must renew or top up")
SLOW = ("Quo asked us to slow down", "Too many requests in a short time", "Nothing to do; it is tried again by itself")


@on_both
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("status", "vendor_code", "expected"),
    [
        (400, "0800400", (Malformed, "quo.400", None)),
        (401, "0200401", (Misconfigured, "quo.401", KEY_REFUSED)),
        (402, "0201402", (Misconfigured, "quo.402", UNPAID)),
        (403, "0801403", (Misconfigured, "quo.403", None)),
        (404, "0200404", (Gone, "quo.404", None)),
        (422, "0800422", (Malformed, "quo.422", None)),
        (429, "0200429", (RateLimited, "quo.rate_limited", SLOW)),
    ],
)
async def test_each_code_has_its_class_and_text(
    kind: type[FarEnd],
    method: str,
    status: int,
    vendor_code: str,
    expected: tuple[type[OutsideProblem], str, tuple[str, str, str] | None],
) -> None:
    """The dated surface has no codes of its own, so nothing may hang on them."""
    body = {"title": "A title", "message": "a message about Jane"} | ({"code": vendor_code} if kind is V1 else {})
    problem = await problem_of(failing(kind, method, status, body))
    error, code, words = expected
    assert (type(problem), problem.code, problem.service) == (error, code, "Quo")
    if words:
        assert (problem.what, problem.why, problem.todo) == words
    else:
        said = f"A title · a message about […]{f' · {vendor_code}' if kind is V1 else ''}"
        assert problem.why == f'It answered {status}: "{said}"'
        assert problem.todo


@on_both
async def test_person_is_not_named_even_where_the_request_did_not_name_them(kind: type[FarEnd]) -> None:
    far_end = kind().keep()
    far_end.before = lambda _: httpx.Response(403, json={"message": "Jane Roe is read-only"})
    assert (await problem_of(far_end, contact_id="Q1")).why == 'It answered 403: "[…] […] is read-only"'


@on_both
async def test_fault_of_quo_is_transient_on_a_read_and_unknown_on_a_create(kind: type[FarEnd]) -> None:
    for status in (500, 502, 503, 504):
        body = {"title": "Unknown", "code": "0201500"}
        assert type(await problem_of(failing(kind, "GET", status, body))) is Transient
        assert type(await problem_of(failing(kind, "POST", status, body))) is OutcomeUnknown
    known = failing(kind, "PATCH", 500)
    known.keep()
    assert type(await problem_of(known, contact_id="Q1")) is Transient


@on_both
async def test_pause_is_one_second_unless_quo_says_otherwise(kind: type[FarEnd]) -> None:
    for headers, pause in ((None, 1.0), ({"Retry-After": "3"}, 3.0)):
        problem = await problem_of(failing(kind, "GET", 429, {}, headers))
        assert isinstance(problem, RateLimited)
        assert problem.retry_after == pause


async def test_faulty_fields_are_named_but_not_what_they_hold() -> None:
    errors = [
        {"path": "/defaultFields/phoneNumbers/0/value", "message": "'+19025550100' is no number", "value": "+19025550100"},
        "not an object",
    ]
    problem = await problem_of(failing(V1, "POST", 400, {"message": "Invalid Jane Roe", "errors": errors}))
    assert problem.why == "It answered 400: \"Invalid […] […] · /defaultFields/phoneNumbers/0/value: '[…]' is no number\""
    for odd in (7, "text", {"a": 1}, None):
        assert (
            await problem_of(failing(V1, "POST", 400, {"message": "Invalid", "errors": odd}))
        ).why == 'It answered 400: "Invalid"'


@on_both
@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": {}}, {"data": [{"externalId": "client:7"}]}, "page"])
async def test_answer_of_another_shape_is_an_error_and_never_a_reason_to_create(kind: type[FarEnd], body: object) -> None:
    far_end = failing(kind, "GET", 200, body)
    for contact_id in (None, "Q1"):
        problem = await problem_of(far_end, contact_id)
        assert (type(problem), problem.code) == (Malformed, "quo.unreadable")
    assert not [asked for asked in far_end.asked if asked.startswith("POST")]


@on_both
async def test_every_request_counts_against_the_limit(kind: type[FarEnd]) -> None:
    limits = CountingLimits()
    far_end = kind().keep()
    line = Quo(KEY, limits=limits, api=far_end.api, transport=far_end.transport)
    await line.put_contact(JANE, external_id=EXTERNAL_ID)
    assert len(far_end.requests) > 1
    assert limits.taken == [("quo", 1)] * len(far_end.requests)


# ── Our stand-in, which shares no code with the adapter ──


@pytest.mark.parametrize("api", ["v1", "2026-03-30"])
async def test_the_stand_in_takes_what_is_sent_and_keeps_one_contact(api: str) -> None:
    app = create_app(":memory:", quo_per_second=None)
    line = Quo(KEY, limits=NO_LIMITS, api=api, base_url="http://quo.test", transport=httpx.ASGITransport(app=app))
    app.desk.order({"service": "quo", "fault": "lost", "method": "POST", "times": 1})
    with pytest.raises(OutcomeUnknown):
        await line.put_contact(JANE, external_id=EXTERNAL_ID)
    kept = await line.put_contact(JANE, external_id=EXTERNAL_ID)
    moved = await line.put_contact(JANE.model_copy(update={"phone": "+19025550133"}), external_id=EXTERNAL_ID)
    assert moved == kept
    (contact,) = app.store.find("contact")
    fields: Any = contact["defaultFields"]
    assert [(item["name"], item["value"]) for item in fields["phoneNumbers"]] == [("Dispatch", "+19025550133")]
    assert [item["value"] for item in fields["emails"]] == ["jane@example.test"]
    if line.keeps_notes:
        for text in ("1 December", "2 December"):
            await line.put_note(kept.contact_id, text, mark=MARK)
        assert [made["text"] for made in app.store.find("note")] == [f"2 December\n{MARK}"]
    await line.aclose()
    app.close()


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
