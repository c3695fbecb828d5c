"""What people type, made tidy: each kind of field, as the pages and the import rely on it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backhaul.dispatch.clients.forms import NewClient
from backhaul.dispatch.forms import rejected
from tests.api_fixtures import jane

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def tidied(field: str, value: object) -> Any:
    """What the form keeps of one field; its fault, as text that begins with an exclamation mark, when it is refused."""
    spelling = NewClient.spellings()[field]
    try:
        return getattr(NewClient.model_validate(jane(**{spelling: value})), field)
    except ValidationError as error:
        problem = rejected(error, NewClient)
        assert list(problem.fields) == [spelling]
        return f"! {problem.fields[spelling]}"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("902-555-0123", "+19025550123"), ("(902) 555-0123", "+19025550123"), ("9025550123", "+19025550123"),
     (9025550123, "+19025550123"), ("1 902 555 0123", "+19025550123"), ("+1.902.555.0123", "+19025550123"),
     ("902\u2013555\u20130123", "+19025550123"), (" 902 555 0123 ", "+19025550123"), ("+44 20 7946 0018", "+442079460018")],
)  # fmt: skip
def test_a_telephone_number_may_be_written_in_any_way(typed: object, kept: str) -> None:
    assert tidied("phone", typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "555-0123",
        "911",
        "902-555-012",
        "902-555-01234567890123",
        "902-555-0123 ext 5",
        "1-800-FLOWERS",
        "902-555-O123",
        "+999 123",
        "-",
        "x",
        True,
        [],
    ],
)
def test_what_is_no_whole_telephone_number_is_refused(typed: object) -> None:
    assert tidied("phone", typed) in ("! Phone must be in format 902-555-0123", "! Phone must be text")


@pytest.mark.parametrize(("typed", "kept"), [("b3h1a1", "B3H 1A1"), ("B3H-1A1", "B3H 1A1"), (" b3h  1a1 ", "B3H 1A1")])
def test_a_postal_code_is_kept_in_one_way(typed: str, kept: str) -> None:
    assert tidied("postalcode", typed) == kept


@pytest.mark.parametrize(
    "typed", ["90210", "B3H 1A", "BBH 1A1", "B3H 1A1 2", "B\u0663H 1A1", "\uff22\uff13\uff28 \uff11\uff21\uff11"]
)
def test_what_is_no_postal_code_is_refused(typed: str) -> None:
    assert tidied("postalcode", typed) == "! Postal code must be in format A1A 1A1"


@pytest.mark.parametrize(
    "typed", ["K123456", "K12345678", "1234567", "KK123456", "K\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "\u212a1234567"]
)
def test_what_is_no_k_number_is_refused(typed: str) -> None:
    assert tidied("knumber", typed) == "! K Number must be in format K1234567"


@pytest.mark.parametrize(
    ("typed", "kept"), [("JANE@Example.COM", "jane@example.com"), (" jane@example.test ", "jane@example.test")]
)
def test_an_e_mail_is_kept_in_small_letters(typed: str, kept: str) -> None:
    assert tidied("email", typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "jane",
        "jane@",
        "@example.com",
        "jane@example",
        "a b@example.com",
        "jane@example.com, joe@example.com",
        "<jane@example.com>",
    ],
)
def test_what_is_no_e_mail_is_refused(typed: str) -> None:
    assert tidied("email", typed) == "! E-mail must be a valid address, like jane@example.com"


@pytest.mark.parametrize(("typed", "kept"), [("90", 90), (90, 90), (" 15 ", 15), (480, 480), ("", 120), (None, 120)])
def test_an_appointment_lasts_two_hours_unless_said_otherwise(typed: object, kept: int) -> None:
    assert tidied("appointment_length", typed) == kept


@pytest.mark.parametrize(
    ("typed", "kept"),
    [(True, True), (False, False), ("yes", True), ("NO", False), ("0", False), ("", True), (None, True), (1, True)],
)
def test_active_is_yes_unless_said_otherwise(typed: object, kept: bool) -> None:
    assert tidied("active", typed) is kept


def test_white_space_in_a_line_is_one_blank_and_notes_keep_their_lines() -> None:
    assert tidied("lastname", " Van \n der\t Berg\u00a0") == "Van der Berg"
    assert tidied("notes", " first\nsecond ") == "first\nsecond"


def test_lengths_are_bounded_after_trimming() -> None:
    assert tidied("firstname", " " * 500 + "J" * 100) == "J" * 100
    assert tidied("firstname", "J" * 101) == "! First name is longer than 100 characters"
    assert tidied("notes", "n" * 5001) == "! Notes is longer than 5000 characters"


def test_a_second_address_once_begun_is_given_whole() -> None:
    assert isinstance(NewClient.model_validate(jane(secondary_address_notes="in summer")), NewClient)
    assert isinstance(NewClient.model_validate(jane(secondary_city=" ", secondary_province="")), NewClient)
    with pytest.raises(ValidationError) as refused:
        NewClient.model_validate(jane(secondary_city="Truro", secondary_province="NS"))
    assert rejected(refused.value, NewClient).fields == {
        "secondary_civic_address": "Secondary civic address is required",
        "secondary_postal_code": "Secondary postal code is required",
    }


def test_every_field_has_one_name_on_the_page() -> None:
    spellings = NewClient.spellings()
    assert spellings["knumber"] == spellings["kNumber"] == "kNumber"
    assert spellings["prov"] == "province"
    assert spellings["active"] == "active"
    assert set(jane()["clientData"]) <= set(spellings.values())


@given(sent=st.dictionaries(st.sampled_from([*NewClient.spellings(), "clientData", "client_data"]), ANYTHING) | ANYTHING)
def test_nothing_that_can_be_sent_is_more_than_a_fault(sent: object) -> None:
    try:
        form = NewClient.model_validate(sent)
    except ValidationError as error:
        problem = rejected(error, NewClient)
        assert problem.faults
        assert set(problem.fields) <= set(NewClient.spellings().values())
    else:
        assert form.knumber
        assert form.primary_clinic_id is None or isinstance(form.primary_clinic_id, UUID)
