"""Inactivity, as people meet it: warned, kept in by what they do, and out in time whatever their device's clock says.

ASVS 5.0, 7.3.1 (inactivity), 7.4.1 (what has ended is of no use), 14.3.1 (nothing of it is left in the browser). Both clocks are
held: the server's by moving the session's last activity back, the pages' by held_clock.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from playwright.async_api import Error, Request, Route, expect

from tests.browser.conftest import People
from tests.browser.held_clock import HeldClock
from tests.browser.person import Person
from tests.browser.portal import PASSWORD, Portal
from tests.browser.test_accessibility import LISTEN, heard, sound

EXPIRED = "Your session has expired due to inactivity. Please log in again."
LIMIT_MIN = 120  # a booking agent's
WARNING = "#session-warning"

_STAMP = "Number(sessionStorage.getItem('rrts_last_activity'))"
_LEFT_BEHIND = "[...Object.keys(sessionStorage), ...Object.keys(localStorage)].filter((key) => !key.startsWith('rrts_draft_'))"


@pytest.fixture
def shortened(portal: Portal) -> Iterator[None]:
    """Supervisors may do nothing for four seconds, and are warned two and a half before."""
    with portal.database() as database:
        old = database.execute("select idle_for, warn_before from private.inactivity_limits where role = 'supervisor'").fetchone()
        assert old is not None
        yield
        database.execute("update private.inactivity_limits set idle_for = %s, warn_before = %s where role = 'supervisor'", old)


async def test_warned_kept_in_by_escape_then_out_with_the_message_and_the_form_comes_back(
    person: People, portal: Portal, shortened: None
) -> None:
    one = await person()
    asked = asked_of(one)
    clock = HeldClock(one.page.context)
    await clock.hold()
    await one.sign_in("supervisor")
    await one.go_live()
    await one.open("clients.html?q=roe")
    await one.go_live()
    await one.fill_in("K1234599", "Wanda", "Unsaved", **{"Notes (optional)": "keeps this"})
    with portal.database() as database:
        database.execute("update private.inactivity_limits set idle_for = '4 s', warn_before = '2.5 s' where role = 'supervisor'")
    await clock.forward(1)
    await one.press("!")  # the answer to this says how short the limits are now

    warning = one.page.locator(WARNING)
    await expect(warning).to_be_visible()
    await expect(one.page.get_by_role("button", name="Stay signed in")).to_be_focused()
    await expect(warning.locator("#session-warning-clock")).to_have_text("0:02")
    await expect(warning.locator("#session-warning-clock")).to_have_text("0:01")
    await one.press("Escape")
    await expect(warning).to_be_hidden()
    await expect(one.page.locator("#addClientModal")).to_be_visible()
    await expect(one.page.get_by_label("Notes (optional)")).to_be_focused()

    asked.clear()
    await expect(warning).to_be_visible()
    await expect(one.page.locator("#loginNotice")).to_have_text(EXPIRED)
    assert "/webhook/refresh-token" not in asked
    assert await one.page.evaluate(_LEFT_BEHIND) == []

    with portal.database() as database:
        database.execute("update private.inactivity_limits set idle_for = '1 h', warn_before = '5 min' where role = 'supervisor'")
    await one.page.get_by_label("E-mail").fill("supervisor@demo.test")
    await one.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await one.press("Enter")
    await expect(one.page).to_have_url(f"{portal.url}/clients.html?q=roe")
    form = one.page.locator("#addClientForm")
    await expect(form.locator(".draft-note")).to_contain_text("Restored what you had typed.")
    await expect(form.locator(".draft-note")).to_be_focused()
    for label, value in {"K Number": "K1234599", "First name": "Wanda", "Notes (optional)": "keeps this!"}.items():
        await expect(form.get_by_label(label, exact=True)).to_have_value(value)
    await form.get_by_role("button", name="Discard").click()
    await expect(form.get_by_label("First name", exact=True)).to_have_value("")
    await expect(form.locator(".draft-note")).to_have_count(0)


# ── What counts, and what does not ──


async def test_a_page_that_only_polls_and_renews_expires(person: People) -> None:
    agent = await person()
    asked = asked_of(agent)
    await agent.page.route("**/events", lambda route: route.abort())
    seat = await enter(agent, live="polling")
    await seat.idle(LIMIT_MIN - 1)
    before = seat.idle_for
    asked.clear()
    async with agent.page.expect_response("**/get-failed-tasks"):
        await agent.page.evaluate("TaskMonitor.refresh()")
    assert await agent.page.evaluate("refreshAccessToken()")
    assert seat.idle_for >= before
    assert "/webhook/refresh-token" in asked
    assert "/webhook/update-activity" not in asked
    await seat.idle(2)
    await expect(agent.page.locator("#loginNotice")).to_have_text(EXPIRED)


async def test_a_page_that_only_listens_is_closed_by_the_stream_and_says_so(person: People) -> None:
    agent = await person()
    seat = await enter(agent)
    asked = asked_of(agent)
    seat.age(LIMIT_MIN + 1, tell=True)  # by the page's own clock no time has passed
    await expect(agent.page.locator("#loginNotice")).to_have_text(EXPIRED)
    assert "/webhook/refresh-token" not in asked


async def test_a_request_refused_for_inactivity_ends_the_page_without_a_renewal(person: People) -> None:
    agent = await person()
    await agent.page.route("**/events", lambda route: route.abort())
    seat = await enter(agent, live="polling")
    asked = asked_of(agent)
    seat.age(LIMIT_MIN + 1)
    await agent.page.evaluate("() => { TaskMonitor.refresh() }")
    await expect(agent.page.locator("#loginNotice")).to_have_text(EXPIRED)
    assert "/webhook/refresh-token" not in asked


async def test_what_scripts_do_is_not_taken_for_a_person(person: People) -> None:
    agent = await person()
    seat = await enter(agent, "clients.html")
    asked = asked_of(agent)
    await seat.clock.forward(1)
    before = await agent.page.evaluate(_STAMP)
    await agent.page.evaluate("""() => {
      for (const name of ["mousedown", "mousemove", "keydown", "scroll", "click", "touchstart", "wheel", "input"])
        document.body.dispatchEvent(new Event(name, { bubbles: true }))
      document.querySelector("#addClientBtn").click()
      document.querySelector("#notes").value = "typed by a script"
      document.querySelector("#addClientForm .dialog-body").scrollTo(0, 200)
    }""")
    await agent.page.evaluate("new Promise(requestAnimationFrame)")
    assert await agent.page.evaluate(_STAMP) == before
    assert "/webhook/update-activity" not in asked


async def test_each_way_of_a_person_counts_and_is_reported(person: People) -> None:
    agent = await person()
    seat = await enter(agent)
    mouse = agent.page.mouse
    await does(seat, lambda: mouse.move(200, 300))
    await does(seat, lambda: agent.press("ArrowDown"))
    await does(seat, lambda: mouse.wheel(0, 100))
    await does(seat, lambda: mouse.click(2, 300))


async def test_a_touch_counts_too(person: People) -> None:
    agent = await person(phone=True)
    seat = await enter(agent)
    await does(seat, lambda: agent.page.touchscreen.tap(2, 500))


async def does(seat: Seat, something: Callable[[], Awaitable[None]]) -> None:
    """After half an hour of nothing."""
    page = seat.one.page
    await seat.idle(30)
    before = await page.evaluate(_STAMP)
    async with page.expect_response("**/update-activity") as answer:
        await something()
    assert (await (await answer.value).json())["left_s"] > LIMIT_MIN * 60 - 30
    assert await page.evaluate(_STAMP) - before > 29 * 60_000
    assert seat.idle_for < timedelta(seconds=30)


async def test_input_is_reported_by_how_long_it_is_past_at_most_every_15_seconds_and_when_the_page_is_left(
    person: People,
) -> None:
    agent = await person()
    seat = await enter(agent, "clients.html")
    told: list[int] = []

    def hear(request: Request) -> None:
        if "update-activity" in request.url:
            told.append(json.loads(request.post_data or "")["idle_ms"])

    agent.page.on("request", hear)
    await seat.clock.forward(1)
    search = agent.page.get_by_label("Search the clients")
    async with agent.page.expect_response("**/update-activity"):
        await search.press("a")
    stamp = await agent.page.evaluate(_STAMP)
    await search.press("b")
    assert await agent.page.evaluate(_STAMP) - stamp in (0, *range(1_000, 15_000))  # at most once a second
    await seat.clock.forward(5 / 60)
    await search.press("c")
    assert len(told) == 1
    seat.age(5)
    async with agent.page.expect_response("**/update-activity"):
        await seat.clock.forward(12 / 60)
    assert told[0] < 1_000
    assert 9_000 < told[1] < 20_000
    assert timedelta(seconds=9) < seat.idle_for < timedelta(minutes=1)

    await seat.clock.forward(2 / 60)
    seat.age(5)
    await search.press("d")
    await agent.open("dashboard.html")
    await agent.go_live()
    assert seat.idle_for < timedelta(minutes=1)


# ── All tabs ──


async def test_what_is_done_in_one_tab_keeps_the_other_alive_without_a_word(person: People) -> None:
    agent = await person()
    seat = await enter(agent)
    other = await next_tab(agent)
    await seat.idle(60)
    async with other.page.expect_response("**/update-activity"):
        await other.press("ArrowDown")
    await seat.idle(70)
    await other.page.evaluate("new Promise((done) => setTimeout(done, 100))")
    for tab in (agent, other):
        await expect(tab.page.locator(WARNING)).to_have_count(0)  # it was never even built
        assert await tab.page.evaluate("JWTManager.isAuthenticated()")
    assert other.amiss == []


async def test_a_warning_goes_away_in_every_tab_when_one_is_typed_into_or_answers(person: People) -> None:
    agent = await person()
    seat = await enter(agent)
    other = await next_tab(agent)
    still_asking = asyncio.Event()

    async def slowly(route: Route) -> None:
        await still_asking.wait()
        await route.continue_()

    await other.page.route("**/session-status", slowly)  # so that this tab does not warn yet
    await seat.idle(LIMIT_MIN - 3)
    await expect(agent.page.locator(WARNING)).to_be_visible()
    await other.press("ArrowDown")
    await expect(agent.page.locator(WARNING)).to_be_hidden()
    still_asking.set()

    await seat.idle(LIMIT_MIN - 3)
    for tab in (agent, other):
        await expect(tab.page.locator(WARNING)).to_be_visible()
    await other.page.get_by_role("button", name="Stay signed in").click()
    for tab in (agent, other):
        await expect(tab.page.locator(WARNING)).to_be_hidden()
    assert other.amiss == []


async def test_a_tab_opened_by_hand_once_time_is_over_says_so(person: People) -> None:
    agent = await person()
    seat = await enter(agent)
    await agent.page.goto("about:blank")  # a page that is there would find out first
    seat.age(LIMIT_MIN + 1)
    other = Person(agent.portal, await agent.page.context.new_page())
    await other.open("clients.html")
    await expect(other.page.locator("#loginNotice")).to_have_text(EXPIRED)
    assert await other.page.evaluate("localStorage.length") == 0  # and is not tried again
    assert other.amiss == []


async def test_all_tabs_are_out_when_time_is_over(person: People) -> None:
    agent = await person()
    seat = await enter(agent)
    other = await next_tab(agent)
    await seat.idle(LIMIT_MIN + 1)
    for tab in (agent, other):
        await expect(tab.page.locator("#loginNotice")).to_have_text(EXPIRED)
        assert await tab.page.evaluate(_LEFT_BEHIND) == []
    assert other.amiss == []


# ── Stamps and clocks ──


@pytest.mark.parametrize("token", ["alive", "over"])
async def test_a_stale_stamp_found_on_load_signs_out_without_a_renewal(person: People, token: str) -> None:
    agent = await person()
    seat = await enter(agent)
    await seat.leave_open()
    asked = asked_of(agent)
    seat.age(LIMIT_MIN + 1)
    if token == "over":
        over = agent.portal.expired(await agent.page.evaluate("sessionStorage.getItem('rrts_access_token')"))
        await agent.page.evaluate("(token) => sessionStorage.setItem('rrts_access_token', token)", over)
    await agent.page.evaluate(stamped(-(LIMIT_MIN + 1)))
    await agent.page.mouse.move(300, 300)
    await agent.open("clients.html?q=roe")
    await expect(agent.page.locator("#loginNotice")).to_have_text(EXPIRED)
    assert "/webhook/refresh-token" not in asked
    assert "/webhook/update-activity" not in asked
    assert await agent.page.evaluate(_LEFT_BEHIND) == []
    assert agent.page.url.endswith("?next=clients.html%3Fq%3Droe")


async def test_no_path_renews_a_session_that_lay_idle(person: People) -> None:
    agent = await person()
    await agent.page.route("**/events", lambda route: route.abort())  # a stream would end the page by itself
    seat = await enter(agent, live="polling")
    asked = asked_of(agent)
    seat.age(LIMIT_MIN + 1)
    over = agent.portal.expired(await agent.page.evaluate("JWTManager.getAccessToken()"))
    await agent.page.evaluate("(token) => sessionStorage.setItem('rrts_access_token', token)", over)
    await agent.page.evaluate("SessionManager.stop()")
    await agent.page.evaluate(stamped(-(LIMIT_MIN + 1)))
    await agent.page.evaluate("() => { TaskMonitor.refresh() }")  # is told that its token is over
    await expect(agent.page.locator("#loginNotice")).to_have_text(EXPIRED)
    assert "/webhook/refresh-token" not in asked


async def test_a_stale_stamp_is_no_matter_while_the_server_says_that_the_session_is_alive(person: People) -> None:
    agent = await person()
    await enter(agent)
    await agent.page.evaluate("SessionManager.stop()")
    await agent.page.evaluate(stamped(-24 * 60))
    await agent.open("clients.html")
    await agent.go_live()
    assert abs(await agent.page.evaluate(f"Date.now() - {_STAMP}")) < 60_000  # put right


@pytest.mark.parametrize("alive", [True, False], ids=["alive", "idle"])
async def test_a_stamp_from_the_future_is_not_believed_and_the_server_decides(person: People, alive: bool) -> None:
    agent = await person()
    seat = await enter(agent)
    await seat.leave_open()
    if not alive:
        seat.age(LIMIT_MIN + 1)
    await agent.page.evaluate(stamped(24 * 60))
    await agent.open("clients.html")
    if alive:
        await agent.go_live()
        assert abs(await agent.page.evaluate(f"Date.now() - {_STAMP}")) < 60_000
    else:
        await expect(agent.page.locator("#loginNotice")).to_have_text(EXPIRED)


async def test_a_laptop_that_slept_past_the_limit_wakes_to_the_message_and_its_first_touch_does_not_count(person: People) -> None:
    agent = await person()
    seat = await enter(agent, "clients.html")
    await agent.fill_in("K1234598", "Sleepy", "Head")
    asked = asked_of(agent)
    seat.age(3 * 60)
    before = seat.idle_for
    await seat.clock.forward(3 * 60)
    with contextlib.suppress(Error):  # the page may be gone before the hand is there, or before its timer would renew
        await agent.page.mouse.move(100, 100)
        await agent.page.evaluate("location.pathname.endsWith('clients.html') && refreshAccessToken()")
    await expect(agent.page.locator("#loginNotice")).to_have_text(EXPIRED)
    assert "/webhook/refresh-token" not in asked
    assert seat.idle_for >= before
    kept = await agent.page.evaluate("Object.keys(sessionStorage)")
    assert kept == ["rrts_draft_client"]


@pytest.mark.parametrize("hours", [24, -24])
async def test_a_clock_that_is_a_day_off_changes_nothing(person: People, hours: int) -> None:
    agent = await person()
    seat = await enter(agent, off_min=60 * hours)
    await agent.go_live()
    await seat.idle(LIMIT_MIN - 6)
    await expect(agent.page.locator(WARNING)).to_have_count(0)
    await seat.idle(2)
    await expect(agent.page.locator(WARNING)).to_be_visible()
    await agent.press("Enter")
    await expect(agent.page.locator(WARNING)).to_be_hidden()
    assert seat.idle_for < timedelta(seconds=30)
    await seat.idle(LIMIT_MIN + 1)
    await expect(agent.page.locator("#loginNotice")).to_have_text(EXPIRED)


@pytest.mark.parametrize("minutes", [24 * 60, -24 * 60], ids=["forward", "back"])
async def test_a_clock_that_is_set_while_somebody_works_changes_nothing(person: People, minutes: int) -> None:
    agent = await person()
    seat = await enter(agent, "clients.html")
    await seat.clock.put(off_min=minutes)
    await agent.until(f"Math.abs(Date.now() - {_STAMP}) < 60_000")
    await seat.clock.forward(1)
    async with agent.page.expect_response("**/update-activity"):
        await agent.page.get_by_label("Search the clients").press("a")
    await expect(agent.page.locator(WARNING)).to_have_count(0)
    assert seat.idle_for < timedelta(seconds=30)


async def test_the_limits_are_the_servers_own(person: People, portal: Portal) -> None:
    agent = await person()
    await enter(agent)
    with portal.database() as database:
        told = dict(
            database.execute(
                "select role, extract(epoch from idle_for)::integer * 1000 from private.inactivity_limits"
            ).fetchall()
        )
    await agent.until("Object.keys(SESSION_TIMEOUTS).length > 1")
    assert await agent.page.evaluate("SESSION_TIMEOUTS") == told
    assert await agent.page.evaluate("SessionManager.getTimeoutForRole('nobody knows')") == min(told.values())
    assert await agent.page.evaluate("SessionManager.getCurrentTimeout()") == LIMIT_MIN * 60_000
    assert await agent.page.evaluate("LAST_ACTIVITY_KEY") == "rrts_last_activity"
    assert await agent.page.evaluate("SessionManager.isActive() && !SessionManager.isInactiveForTooLong()")


async def test_until_the_limits_are_known_nobody_is_inactive_for_too_long(person: People) -> None:
    agent = await person()
    await enter(agent)
    await agent.page.route("**/portal-config", lambda route: route.abort())
    await agent.page.evaluate("SessionManager.stop()")
    await agent.page.evaluate(stamped(-(LIMIT_MIN + 1)))
    await agent.page.route("**/session-status", lambda route: route.abort())
    await agent.open("clients.html")
    await agent.go_live()
    assert await agent.page.evaluate("SessionManager.getTimeoutForRole('admin') === Infinity")
    assert not await agent.page.evaluate("SessionManager.isInactiveForTooLong('admin')")


# ── The warning, for everybody ──


async def test_the_warning_can_be_used_by_keyboard_alone_and_is_said_aloud_now_and_then(person: People) -> None:
    agent = await person()
    seat = await enter(agent, "clients.html")
    await agent.page.get_by_label("Search the clients").focus()
    await agent.page.evaluate(LISTEN)
    await seat.idle(LIMIT_MIN - 5)
    stay, leave = (
        agent.page.get_by_role("alertdialog").get_by_role("button", name=name) for name in ("Stay signed in", "Sign out")
    )
    await expect(agent.page.get_by_role("alertdialog")).to_have_accessible_name("Are you still there?")
    await expect(agent.page.get_by_role("alertdialog")).to_have_accessible_description(
        "You will be signed out in 5 minutes, to protect people's records."
    )
    await expect(stay).to_be_focused()
    for key, target in (("Tab", leave), ("Tab", stay), ("Shift+Tab", leave), ("Shift+Tab", stay)):
        await agent.press(key)
        await expect(target).to_be_focused()
    await seat.idle(1)
    await heard(agent, "Signed out in 4 minutes.")
    await agent.press("Enter")
    await expect(agent.page.get_by_role("alertdialog")).to_be_hidden()
    await expect(agent.page.get_by_label("Search the clients")).to_be_focused()

    await seat.idle(LIMIT_MIN - 5)
    await expect(stay).to_be_focused()
    await agent.press("Tab", "Enter")
    await expect(agent.page.locator("#loginSection")).to_be_visible()
    await expect(agent.page.locator("#loginNotice")).to_be_empty()


async def test_an_answer_that_the_server_did_not_hear_is_not_taken_for_one(person: People) -> None:
    agent = await person()
    seat = await enter(agent)
    await seat.idle(LIMIT_MIN - 4)
    await expect(agent.page.locator(WARNING)).to_be_visible()
    await agent.page.route("**/update-activity", lambda route: route.abort())
    await agent.press("Escape")
    await expect(agent.page.locator(WARNING)).to_contain_text("The server could not be told")
    await agent.page.unroute("**/update-activity")
    await agent.press("Enter")
    await expect(agent.page.locator(WARNING)).to_be_hidden()


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"])
async def test_the_warning_has_no_fault_that_axe_finds(person: People, dark: bool, phone: bool) -> None:
    agent = await person(dark=dark, phone=phone)
    seat = await enter(agent, "clients.html")
    for left in (4, 0.75):
        await seat.idle(LIMIT_MIN - left)
        await expect(agent.page.locator(WARNING)).to_be_visible()
        await sound(agent, f"warning, {left} minutes before the end", phone)
        await agent.press("Enter")
        await expect(agent.page.locator(WARNING)).to_be_hidden()


# ── Drafts ──


async def test_a_draft_holds_no_password_and_goes_with_a_deliberate_sign_out(person: People) -> None:
    agent = await person()
    await enter(agent, "clients.html")
    await agent.fill_in("K1234597", "Dora", "Draft")
    await agent.page.evaluate("""() => {
      const secret = { name: "newPassword", type: "text", value: "hunter2hunter2" }
      document.querySelector("#addClientForm").append(Object.assign(document.createElement("input"), secret))
    }""")
    await agent.open("dashboard.html")
    draft = await agent.page.evaluate("sessionStorage.getItem('rrts_draft_client')")
    assert json.loads(draft)["values"]["firstName"] == "Dora"
    assert "hunter2" not in draft
    await agent.page.get_by_role("button", name="Sign out").click()
    await expect(agent.page.locator("#loginSection")).to_be_visible()
    assert await agent.page.evaluate("Object.keys(sessionStorage)") == []


async def test_a_draft_is_not_left_for_somebody_else(person: People) -> None:
    agent = await person()
    seat = await enter(agent, "clients.html")
    await agent.fill_in("K1234596", "Olive", "Other")
    seat.age(LIMIT_MIN + 1, tell=True)
    await expect(agent.page.locator("#loginNotice")).to_have_text(EXPIRED)
    assert await agent.page.evaluate("sessionStorage.getItem('rrts_draft_client') !== null")
    await agent.page.get_by_label("E-mail").fill("agent2@demo.test")
    await agent.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await agent.press("Enter")
    await expect(agent.page.locator("#clientTable")).to_be_visible()
    await expect(agent.page.locator("#addClientModal")).to_be_hidden()
    assert await agent.page.evaluate("sessionStorage.getItem('rrts_draft_client')") is None


# ── Arranging ──


@dataclass
class Seat:
    """A booking agent who has signed in, under held clocks."""

    one: Person
    session: str
    clock: HeldClock

    async def idle(self, minutes: float) -> None:
        """Nobody does anything for so long."""
        self.age(minutes)
        await self.clock.forward(minutes)

    async def leave_open(self) -> None:
        """In its place stands a picture of ours, which runs nothing that could find out by itself. What the tab holds stays."""
        await self.one.page.goto(f"{self.one.portal.url}/favicon.svg")

    def age(self, minutes: float, *, tell: bool = False) -> None:
        """For the server alone. tell: open streams look for themselves at once, as they do at the limit."""
        with self.one.portal.database() as database:
            database.execute(
                "update public.user_sessions set last_activity_at = last_activity_at - %s where id = %s",
                [timedelta(minutes=minutes), self.session],
            )
            if tell:
                database.execute("select pg_notify('sessions', %s)", [self.session])

    @property
    def idle_for(self) -> timedelta:
        """How long the person has done nothing, as the server knows it."""
        with self.one.portal.database() as database:
            found = database.execute(
                "select now() - last_activity_at from public.user_sessions where id = %s", [self.session]
            ).fetchone()
        assert found is not None
        passed: timedelta = found[0]
        return passed


async def enter(one: Person, path: str = "dashboard.html", *, off_min: float = 0, live: str = "stream") -> Seat:
    """off_min: how wrong this device's clock is."""
    clock = HeldClock(one.page.context, off_min=off_min)
    await clock.hold()
    await one.sign_in("agent")
    await one.go_live(live)
    if path != "dashboard.html":
        await one.open(path)
        await one.go_live(live)
    return Seat(one, await one.page.evaluate("sessionStorage.getItem('rrts_session_id')"), clock)


async def next_tab(one: Person) -> Person:
    other = Person(one.portal, await one.page.context.new_page())
    await other.open("dashboard.html")
    await other.go_live()
    return other


def stamped(minutes: float) -> str:
    """As if the last input in any tab had been then, by this device's clock."""
    return f"""() => {{
      const at = Date.now() + {int(minutes * 60_000)}
      sessionStorage.setItem("rrts_last_activity", String(at))
      localStorage.setItem("backhaul-session", JSON.stringify({{ session: sessionStorage.getItem("rrts_session_id"), at }}))
    }}"""


def asked_of(one: Person) -> list[str]:
    """The paths asked of the server from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url.removeprefix(one.portal.url).partition("?")[0])

    one.page.on("request", note)
    return asked
