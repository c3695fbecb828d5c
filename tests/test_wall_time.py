"""The office's wall time: what people write, whatever their browser's zone, on the two odd nights of the year as well."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from backhaul.dispatch.wall_time import clock, day, moment, monday_of, office, office_day, office_moment, read_moment
from tests.trips import Trips


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-12-01 09:30", "2026-12-01T13:30"), ("2026-12-01T9:30", "2026-12-01T13:30"),
        ("2026-07-01 09:30:15", "2026-07-01T12:30:15"),
        ("2026-12-01T13:30:00.000Z", "2026-12-01T13:30"), ("2026-12-01T09:30-04:00", "2026-12-01T13:30"),
        ("2026-12-01T09:30-0400", "2026-12-01T13:30"), (" 2026-12-01t09:30 ", "2026-12-01T13:30"),
        ("2026-11-01 00:59", "2026-11-01T03:59"), ("2026-11-01 02:00", "2026-11-01T06:00"),
        ("2026-11-01T01:30-03:00", "2026-11-01T04:30"), ("2026-11-01T01:30-04:00", "2026-11-01T05:30"),
        ("2026-03-08 01:59", "2026-03-08T05:59"), ("2026-03-08 03:00", "2026-03-08T06:00"),
    ],
)  # fmt: skip
def test_a_time_without_a_zone_is_the_offices_and_one_with_an_offset_what_it_says(written: str, instant: str) -> None:
    assert read_moment(written.replace("t", "T")) == datetime.fromisoformat(instant).replace(tzinfo=UTC)


_TWICE = (
    "Pickup: 1:30 on 1 November 2026 comes twice, because the clocks go back."
    " Write -03:00 behind it for the first, -04:00 for the second"
)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2026-03-08 02:30", "Pickup: there is no 2:30 on 8 March 2026, because the clocks go forward. 3:30 is an hour later"),
        (
            "2026-11-01 01:30",
            _TWICE,
        ),
        ("tomorrow", "Pickup must be a date and time, like 2026-12-01 09:30"),
        ("2026-12-01", "Pickup must be a date and time, like 2026-12-01 09:30"),
        ("2026-02-30 09:00", "Pickup: there is no such day or hour"),
        ("2026-12-01 25:00", "Pickup: there is no such day or hour"),
        ("1066-12-01 09:00", "Pickup must be in this century"),
        ("2026-12-01 09:00+99:00", "Pickup has an offset that does not exist"),
    ],
)
def test_a_time_that_is_none_or_two_is_told_kindly(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_moment(written, "Pickup")
    assert str(refused.value) == said


@given(st.integers(946_900_000, 4_102_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_every_instant_survives_being_shown_and_written_again(instant: datetime) -> None:
    shown = office(instant)
    assert read_moment(shown.isoformat()) == instant
    try:
        assert office_moment(shown.replace(tzinfo=None, fold=0)) == instant
    except ValueError as refused:
        assert "comes twice" in str(refused)  # noqa: PT017  (the one reason there may be, and most instants have none)


@given(st.text(max_size=30))
def test_nothing_that_can_be_written_is_more_than_a_fault(written: str) -> None:
    try:
        assert read_moment(written).tzinfo == UTC
    except ValueError as refused:
        assert str(refused).startswith("Time")  # noqa: PT017  (almost every text is one)


def test_the_day_is_the_offices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert office_day(datetime(2026, 12, 1, 3, 59, tzinfo=UTC)) == date(2026, 11, 30)
    assert office_day(datetime(2026, 12, 1, 4, 0, tzinfo=UTC)) == date(2026, 12, 1)
    assert monday_of(date(2026, 11, 29)) == date(2026, 11, 23)


_ONE = datetime(2026, 12, 1, 13, tzinfo=UTC)
_KINDS: dict[str, TypeAdapter[Any]] = {
    "moment": TypeAdapter(Annotated[datetime | None, moment("Field")]),
    "day": TypeAdapter(Annotated[date | None, day("Field")]),
    "clock": TypeAdapter(Annotated[time | None, clock("Field")]),
}


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("moment", "", None), ("moment", None, None), ("moment", _ONE, _ONE),
        ("day", "2026-12-01", date(2026, 12, 1)), ("day", date(2026, 12, 1), date(2026, 12, 1)), ("day", "", None),
        ("clock", "9:05", time(9, 5)), ("clock", "0905", time(9, 5)), ("clock", "09:05:00", time(9, 5)), ("clock", None, None),
    ],
)  # fmt: skip
def test_fields_take_what_pages_send(kind: str, value: Any, kept: Any) -> None:
    assert _KINDS[kind].validate_python(value) == kept


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("value", ["x", 7, True, [], {}, "24:01", "2026-13-01", "0001-01-01", "2026-13-01 09:00"])
def test_fields_refuse_everything_else_by_name(kind: str, value: Any) -> None:
    with pytest.raises(ValidationError, match="Field"):
        _KINDS[kind].validate_python(value)


def test_the_database_and_the_program_mean_the_same_days(trips: Trips) -> None:
    for written in ("2026-11-01", "2026-03-08", "2026-07-01"):
        local = date.fromisoformat(written)
        begins, ends = trips.database.all("select lower(d) as b, upper(d) as e from private.local_days(%s, %s) d", local, local)[
            0
        ].values()
        assert begins == office_moment(datetime.combine(local, time.min))
        assert trips.database.value("select private.local_day(%s)", begins) == local
        assert (ends - begins).total_seconds() / 3600 == {"2026-11-01": 25, "2026-03-08": 23}.get(written, 24)


def test_a_moment_that_is_required_says_so() -> None:
    with pytest.raises(ValidationError, match="Appointment date/time is required"):
        TypeAdapter(Annotated[datetime, moment("Appointment date/time", required=True)]).validate_python("")
