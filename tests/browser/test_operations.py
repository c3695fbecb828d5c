"""The operations board: trips given to drivers by hand and by key, what the server refuses, and what others do meanwhile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any

import pytest
from playwright.async_api import Locator, Route, expect

from backhaul.dispatch.wall_time import office_day, office_moment
from tests.browser.conftest import People
from tests.browser.person import Person
from tests.browser.portal import Portal
from tests.browser.test_accessibility import sound

_weeks = count(60)  # the pages of appointments and drivers have the months before to themselves
BOARD = "/webhook/get-operations-appointments"


@dataclass
class Day:
    """A Tuesday of its own with three of one client's trips: at ten with a driver, at ten and at one without."""

    portal: Portal
    day: date
    client: dict[str, Any]
    driver: dict[str, Any]
    others: list[dict[str, Any]]

    @property
    def path(self) -> str:
        return f"operations.html?day={self.day}"

    def book(self, at: str | datetime, driver: dict[str, Any] | None = None) -> str:
        """at: a wall time of the day, or an instant."""
        moment = office_moment(datetime.combine(self.day, time.fromisoformat(at))) if isinstance(at, str) else at
        answer = self.portal.ask("supervisor", "POST", "/webhook/save-appointment", {
            "knumber": self.client["kNumber"], "appointmentDateTime": moment.isoformat(), "appointmentLength": 60,
            "transitTime": 30, "location": "Cedar Clinic", "locationAddress": "9 Cedar Road, Digby",
        })  # fmt: skip
        trip: str = answer["appointmentIds"][0]
        if driver:
            self.assign(trip, driver)
        return trip

    def assign(self, trip: str, driver: dict[str, Any] | None) -> None:
        self.portal.ask("admin", "POST", "/webhook/update-driver-assignment", {
            "id": trip, "driver_assigned": driver["id"] if driver else None,
        })  # fmt: skip

    def driver_of(self, trip: str) -> str | None:
        rows = self.portal.ask("admin", "GET", f"{BOARD}?day={self.day}")["appointments"]
        return next(row["driver_name"] for row in rows if row["id"] == trip)


@pytest.fixture
def empty_day(portal: Portal) -> Day:
    """Each test has a week of its own, so that none meets the trips of another."""
    today = office_day(datetime.now(UTC))
    day = today + timedelta(days=(1 - today.weekday()) % 7 + 7 * next(_weeks))
    drivers = portal.ask("admin", "GET", f"{BOARD}?day={day}")["drivers"]
    return Day(portal, day, portal.client("Una", "Boarder"), drivers[0], drivers[1:])


@pytest.fixture
def tuesday(empty_day: Day) -> tuple[Day, str, str, str]:
    return empty_day, empty_day.book("10:00", empty_day.driver), empty_day.book("10:00"), empty_day.book("13:00")


Tuesday = tuple[Day, str, str, str]


def lane(one: Person, driver: dict[str, Any] | None) -> Locator:
    return one.page.locator(f'.lane[data-driver-id="{driver["id"] if driver else ""}"]')


def trip(where: Locator, ident: str) -> Locator:
    return where.locator(f'[data-trip-id="{ident}"]')


async def take(one: Person, ident: str, to: Locator) -> None:
    """Drags it there, and does not let go."""
    start, end = await trip(one.page.locator("#board"), ident).bounding_box(), await to.bounding_box()
    assert start
    assert end
    await one.page.mouse.move(start["x"] + 20, start["y"] + 10)
    await one.page.mouse.down()
    await one.page.mouse.move(end["x"] + 400, end["y"] + 15, steps=4)


async def test_a_trip_is_dragged_to_who_is_free_and_each_row_says_so_meanwhile(person: People, tuesday: Tuesday) -> None:
    day, _, early, late = tuesday
    one = await person()
    await one.come_back("supervisor", day.path)
    await expect(one.page.locator("#unassignedCount")).to_have_text("2")
    busy, free = lane(one, day.driver), lane(one, day.others[0])
    await free.scroll_into_view_if_needed()

    await take(one, early, free)
    await expect(busy.locator(".lane-verdict")).to_contain_text(f"Not free Overlaps {day.client['kNumber']}, 09:30–11:30")
    await expect(free.locator(".lane-verdict")).to_contain_text("Free")
    await one.press("Escape")
    await one.page.mouse.up()
    await expect(one.page.locator("#unassignedCount")).to_have_text("2")
    await expect(one.page.locator("dialog[open]")).to_have_count(0)

    await take(one, late, free)
    await one.page.mouse.up()
    await expect(trip(free, late)).to_have_attribute("data-looks", "assigned")
    await expect(one.page.locator("#boardSaid")).to_contain_text(f"Una Boarder is with {day.others[0]['name']}")
    assert day.driver_of(late) == day.others[0]["name"]

    await one.page.get_by_role("button", name="Undo").click()
    await expect(one.page.locator("#boardSaid")).to_contain_text("Taken back")
    await expect(trip(lane(one, None), late)).to_be_visible()
    assert day.driver_of(late) is None


async def test_a_trip_is_assigned_moved_and_taken_off_by_keys_alone(person: People, tuesday: Tuesday) -> None:
    day, driven, early, late = tuesday
    one = await person()

    async def without_times(route: Route) -> None:
        answer = await (await route.fetch()).json()
        await route.fulfill(json=answer | {"drive_times": []})

    await one.page.route(f"**{BOARD}?*", without_times)
    await one.come_back("supervisor", day.path)
    await trip(lane(one, None), late).focus()
    await one.press("ArrowDown")
    await expect(trip(lane(one, day.driver), driven)).to_be_focused()
    await one.press("ArrowUp")
    await expect(trip(lane(one, None), early)).to_be_focused()
    await one.press("Enter")
    dialog = one.page.get_by_role("dialog")
    await expect(dialog.locator(".assign-choice").first).to_be_focused()
    await expect(dialog.locator(".assign-choice").first).to_contain_text("Travel times are still being calculated")
    await expect(dialog.locator(".assign-busy", has_text=day.driver["name"])).to_contain_text("Overlaps")
    await one.press("ArrowDown", "ArrowUp", "ArrowDown")
    second = await dialog.locator(".assign-choice .assign-name").nth(1).inner_text()
    await one.press("Enter")
    await expect(dialog).to_have_count(0)
    held = one.page.locator(".lane", has_text=second)
    await expect(trip(held, early)).to_be_focused()
    await expect(one.page.locator("#boardSaid")).to_contain_text(second)

    await one.press("Enter")
    await expect(dialog.locator("[aria-current]")).to_contain_text(second)
    await dialog.get_by_role("button", name="Take the driver off").click()
    await expect(trip(lane(one, None), early)).to_be_focused()
    await expect(one.page.locator("#boardSaid")).to_contain_text("Una Boarder has no driver")
    await one.press("Control+z")
    await expect(trip(held, early)).to_be_visible()
    await expect(one.page.locator("#boardSaid")).to_contain_text("Taken back")
    assert day.driver_of(early) == second
    await one.page.unroute_all(behavior="ignoreErrors")


async def test_what_the_server_refuses_is_said_at_the_trip_and_the_board_is_as_it_was(person: People, tuesday: Tuesday) -> None:
    day, _, early, late = tuesday
    one = await person()
    await one.come_back("supervisor", day.path)
    await take(one, early, lane(one, day.driver))
    await one.page.mouse.up()
    said = lane(one, None).get_by_role("alert")
    await expect(said).to_contain_text(f"Una Boarder → {day.driver['name']}: The driver is not free from 9:30 to 11:30")
    await expect(said).to_contain_text(day.client["kNumber"])
    await expect(trip(lane(one, None), early)).to_be_visible()
    assert day.driver_of(early) is None
    await said.get_by_role("button", name="Understood").click()
    await expect(said).to_have_count(0)

    # What was changed by somebody else since the page read it is refused as well, and then shown.
    await one.page.route(f"**{BOARD}?*", lambda route: route.abort())
    day.assign(late, day.others[1])
    await trip(lane(one, None), late).click()
    await one.page.get_by_role("dialog").get_by_role("button", name=day.others[0]["name"]).click()
    await expect(said).to_contain_text("changed")
    await expect(one.page.locator("#boardState")).to_contain_text("The server cannot be reached")
    await one.page.unroute(f"**{BOARD}?*")
    await one.page.evaluate("document.querySelector('#boardState button')?.click()")  # unless an event was quicker
    await expect(trip(lane(one, day.others[1]), late)).to_be_visible()


async def test_day_and_filter_are_in_the_address_and_what_others_do_shows_by_itself(person: People, tuesday: Tuesday) -> None:
    day, _, early, _ = tuesday
    one = await person()
    await one.come_back("supervisor", "operations.html")
    await expect(one.page.locator(".board .lane").nth(1)).to_be_visible()
    await one.page.get_by_label("Day", exact=True).fill(str(day.day))
    await expect(one.page.locator("#unassignedCount")).to_have_text("2")
    await one.page.get_by_label("Filter by driver").fill(day.others[0]["name"].upper())
    await expect(one.page.locator(".lane")).to_have_count(2)
    await expect(one.page).to_have_url(re.compile(r"q=\w+"))
    await one.page.reload()
    await expect(one.page.locator(".lane")).to_have_count(2)
    await one.go_live()
    day.assign(early, day.others[0])
    await expect(trip(lane(one, day.others[0]), early)).to_be_visible()
    await expect(one.page.locator("#boardCounts")).to_contain_text("1 unassigned")
    await one.page.get_by_role("button", name="The day after").click()
    await expect(one.page.locator("#boardState")).to_contain_text("No trips on Wednesday")
    await one.page.go_back()
    await expect(one.page.locator("#unassignedCount")).to_have_text("1")
    assert f"day={day.day}" in one.page.url


async def test_two_at_one_board_see_each_others_moves_and_neither_loses_their_place(person: People, tuesday: Tuesday) -> None:
    day, driven, early, late = tuesday
    day.portal.person("second", "supervisor")
    one, other = await person(), await person()
    for who, name in ((one, "supervisor"), (other, "second")):
        # nothing but the trip's own event may bring it: no event of a task, no reading by the clock
        await who.page.add_init_script(
            "document.addEventListener('task:changed', (event) => event.stopImmediatePropagation(), true)"
        )
        await who.come_back(name, day.path)
    dragged = lane(one, day.others[1])
    await dragged.scroll_into_view_if_needed()
    await take(one, late, dragged)

    readings = "performance.getEntriesByType('resource').filter((one) => one.name.includes('get-operations')).length"
    before = await one.page.evaluate(readings)
    await trip(lane(other, None), early).focus()
    await other.press("Enter")
    await other.page.get_by_role("dialog").get_by_role("button", name=day.others[0]["name"]).click()
    await expect(other.page.locator("#boardSaid")).to_contain_text(day.others[0]["name"])
    await trip(lane(other, day.driver), driven).focus()
    await one.until(f"{readings} > {before}")
    await expect(dragged.locator(".lane-verdict")).to_contain_text("Free")
    await one.page.mouse.up()

    await expect(trip(lane(one, day.others[0]), early)).to_have_attribute("data-looks", "assigned")
    await expect(trip(lane(other, day.others[1]), late)).to_have_attribute("data-looks", "assigned")
    await expect(trip(lane(other, day.driver), driven)).to_be_focused()
    await expect(one.page.locator("#unassignedCount")).to_have_text("0")


async def test_time_off_entered_later_marks_the_trip_that_it_meets(person: People, empty_day: Day) -> None:
    day, driver = empty_day, empty_day.others[2]
    ident = day.book("10:00", driver)
    with day.portal.database() as database:
        database.execute(
            "insert into driver_time_off (driver_id, start_date, end_date, reason) values (%s, %s, %s, 'Dentist')",
            [driver["id"], day.day, day.day],
        )
    one = await person()
    await one.come_back("supervisor", day.path)
    await expect(trip(lane(one, driver), ident)).to_have_attribute("data-looks", "clash")
    await expect(one.page.locator("#boardCounts")).to_contain_text("1 clash")
    await expect(lane(one, driver)).to_contain_text("Time off: Dentist")


async def test_the_night_that_has_an_hour_twice_shows_both_and_the_one_that_lacks_one_none(
    person: People, empty_day: Day
) -> None:
    year = empty_day.day.year + 1
    autumn = next(day for day in (date(year, 11, number) for number in range(1, 8)) if day.weekday() == 6)
    spring = next(day for day in (date(year, 3, number) for number in range(8, 15)) if day.weekday() == 6)
    first = datetime(year, 11, autumn.day, 4, 30, tzinfo=UTC)  # half past one by summer time; an hour later it is so again
    twice = [empty_day.book(first), empty_day.book(first + timedelta(hours=1))]
    early = empty_day.book(datetime(year, 3, spring.day, 5, 45, tzinfo=UTC))
    one = await person()
    await one.come_back("supervisor", f"operations.html?day={autumn}")
    board = one.page.locator("#board")
    await expect(board.locator(".axis-hours span").first).to_have_text("01:00 ADT")
    assert (await board.locator(".axis-hours span").all_inner_texts())[:3] == ["01:00 ADT", "01:00 AST", "02:00"]
    boxes = [await trip(board, ident).bounding_box() for ident in twice]
    assert boxes[0]
    assert boxes[1]
    hour = await board.locator(".axis-hours span").first.bounding_box()
    assert hour
    assert abs(boxes[1]["x"] - boxes[0]["x"] - hour["width"]) < 2
    await one.open(f"operations.html?day={spring}")
    await expect(trip(board, early)).to_contain_text(
        "01:15–04:15"
    )  # two hours of driving and waiting, and the one that is not there
    assert (await board.locator(".axis-hours span").all_inner_texts())[:2] == ["01:00", "03:00"]


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light", "phone"])
async def test_no_state_of_the_board_has_a_fault_that_axe_finds_or_is_too_wide(
    person: People, tuesday: Tuesday, dark: bool, phone: bool
) -> None:
    day, _, early, _ = tuesday
    one = await person(dark=dark, phone=phone)
    await one.come_back("supervisor", day.path)
    await expect(trip(lane(one, None), early)).to_be_visible()
    await sound(one, "board", phone)
    await one.page.get_by_label("Filter by driver").fill("no such place")
    await expect(one.page.locator(".lane-none")).to_contain_text("No driver")
    await sound(one, "nothing found", phone)
    await one.page.get_by_label("Filter by driver").fill("")
    await trip(lane(one, None), early).click()
    await sound(one, "dialog", phone)
    await one.page.get_by_role("dialog").get_by_role("button", name=day.others[0]["name"]).click()
    await expect(one.page.locator("#boardSaid .undo-line")).to_be_visible()
    await sound(one, "moved", phone)


async def test_an_agent_is_not_let_in(person: People) -> None:
    one = await person()
    await one.come_back("agent", "operations.html")
    await expect(one.page.get_by_role("heading", name="You do not have access to this page.")).to_be_visible()
    await expect(one.page.get_by_role("link", name="Operations")).to_be_hidden()
