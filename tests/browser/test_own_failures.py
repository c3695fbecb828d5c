"""What reaches a person of a failure of their own save, and what they do about it: toast, badge, panel, retry, dismiss, undo."""

from __future__ import annotations

from uuid import uuid4

from playwright.async_api import Locator, expect

from tests.browser.conftest import Faults, People
from tests.browser.person import Person
from tests.browser.portal import Portal, new_number

REFUSED = "Quo does not accept our key. It was deleted or mistyped."
ADVICE = "A Quo owner or admin makes a new one under Workspace Settings → API"


async def test_a_refusal_by_quo_is_told_in_toast_badge_row_and_panel_and_a_retry_after_mending_makes_it_done(
    person: People, portal: Portal, faults: Faults
) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    faults("quo", "401")
    number = new_number()
    await agent.add_client(number, "Faye", "Ling")

    toast = agent.page.locator(".task-toast")
    await expect(toast).to_contain_text(f'Sync to Quo for "Faye Ling ({number})"')
    await expect(toast).to_contain_text(REFUSED)
    await expect(toast).to_have_attribute("role", "alert")
    await expect(agent.page.locator(".task-indicator-badge")).to_have_text("1")
    row = agent.page.locator("#clientRows tr", has_text=number)
    await expect(row.locator('[data-task-type="sync_quo"]')).to_contain_text("failed")
    await expect(row).to_contain_text(REFUSED)
    await expect(row.locator('[data-task-type="calculate_drive_times"]')).to_contain_text("done")

    await toast.get_by_role("button", name="What to do").click()
    panel = agent.page.get_by_role("dialog", name="Failed Tasks (1)")
    item = panel.locator(".task-panel-item")
    await expect(item.get_by_role("heading")).to_have_text(f"Sync to Quo for Faye Ling ({number})")
    await expect(item).to_contain_text(REFUSED)
    await expect(item).to_contain_text(f"What to do: {ADVICE}")
    await expect(toast).to_have_count(0)

    await item.get_by_role("link", name="View Client").click()
    await expect(panel).to_be_hidden()
    card = agent.page.locator("#clientCard")
    await expect(card.get_by_role("heading", name="Faye Ling")).to_be_visible()
    await expect(card.locator(".open-failure")).to_contain_text(ADVICE)

    await agent.page.reload()
    await agent.go_live()
    await expect(agent.page.locator(".task-indicator-badge")).to_have_text("1")
    await expect(card.locator(".open-failure")).to_be_visible()
    assert await toast.count() == 0  # told once; a reload is no news

    portal.fault("quo", "ok")
    await agent.page.locator("#task-indicator").click()
    await item.get_by_role("button", name="Retry").click()
    await expect(item).to_have_count(0)
    await expect(agent.page.locator("#task-panel-body")).to_contain_text("No failed tasks")
    await agent.press("Escape")
    await expect(row.locator('[data-task-type="sync_quo"]')).to_contain_text("done")
    await expect(agent.page.locator(".task-indicator-badge")).to_be_hidden()
    await expect(card.locator(".open-failure")).to_have_count(0)


async def test_everything_about_failures_can_be_done_by_keyboard(person: People, portal: Portal) -> None:
    portal.failure("Alma Second (K1000001)")
    portal.failure("Berta First (K1000002)")
    agent = await person()
    await agent.come_back("agent")
    page = agent.page
    bell = page.locator("#task-indicator")
    items = page.locator("#task-panel .task-panel-item")
    undo = page.locator("#task-panel-undo").get_by_role("button", name="Undo")
    await expect(bell).to_have_accessible_name("2 failed tasks")

    await tab_to(agent, bell)
    await agent.press("Enter")
    await expect(page.get_by_role("dialog", name="Failed Tasks (2)")).to_be_visible()
    await expect(page.locator("#task-panel-title")).to_be_focused()

    await tab_to(agent, items.first.get_by_role("button", name="Dismiss"))
    await agent.press("Enter")
    await expect(items).to_have_count(1)
    await expect(page.locator("#task-panel-undo")).to_contain_text("Dismissed: Send notification for Berta First (K1000002).")
    await expect(items.first.get_by_role("button", name="Dismiss")).to_be_focused()  # the next one, ready for the same key
    await tab_to(agent, undo)
    await agent.press("Enter")
    await expect(items).to_have_count(2)
    await expect(items.first.locator(":focus")).to_have_count(1)

    await tab_to(agent, page.get_by_role("button", name="Dismiss All"))
    await agent.press("Space")
    await expect(items).to_have_count(0)
    await expect(undo).to_be_focused()
    await expect(bell).to_have_accessible_name("No failed tasks", timeout=15_000)
    await agent.press("Enter")
    await expect(items).to_have_count(2)

    await tab_to(agent, items.last.get_by_role("button", name="Retry"))
    await agent.press("Enter")
    await expect(items).to_have_count(1)
    await expect(page.locator("#announcer")).to_have_text("Started again: Send notification for Alma Second (K1000001).")
    await agent.press("Escape")
    await expect(page.locator("#task-panel")).to_be_hidden()
    await expect(bell).to_be_focused()


async def test_a_failure_dismissed_on_the_dashboard_can_be_taken_back_there(person: People, portal: Portal) -> None:
    portal.failure("Clara Third (K1000003)")
    agent = await person()
    await agent.come_back("agent")
    own = agent.page.locator("#ownFailures")
    await own.get_by_role("button", name="Dismiss").click()
    await expect(own).to_contain_text("No failed tasks")
    await expect(agent.page.locator(".task-indicator-badge")).to_be_hidden()
    await expect(own.get_by_role("button", name="Undo")).to_be_focused()
    await agent.press("Enter")
    await expect(own.locator(".task-panel-item")).to_contain_text("Clara Third")
    assert await agent.page.locator(".task-toast").count() == 0  # what one has taken back oneself is no news


async def test_failures_of_one_cause_share_a_toast_and_no_more_than_three_are_shown(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.come_back("agent")
    toasts = agent.page.locator(".task-toast")
    portal.failure("Dora One (K1000004)")
    await expect(toasts).to_have_count(1)
    portal.failure("Edna Two (K1000005)")
    await expect(toasts).to_contain_text(["2 Tasks Failed"])
    for number in range(3):
        portal.failure("Fred Three (K1000006)", message=f"Another reason {number}.", code=f"other.{number}")
        await expect(toasts.filter(has_text=f"Another reason {number}.")).to_be_visible()
    await expect(toasts).to_have_count(3)
    await expect(toasts.filter(has_text="2 Tasks Failed")).to_have_count(0)
    await toasts.last.get_by_role("button", name="Close this notice").click()
    await expect(toasts).to_have_count(2)
    await toasts.last.get_by_role("button", name="What to do").focus()
    await agent.press("Escape")
    await expect(toasts).to_have_count(1)
    await expect(agent.page.locator(".task-indicator-badge")).to_have_text("5")


async def test_a_toast_goes_after_eight_seconds_but_not_while_somebody_reads_it(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.page.clock.install()
    await agent.come_back("agent")
    portal.failure("Gina Slow (K1000007)")
    toast = agent.page.locator(".task-toast")
    await expect(toast).to_be_visible()
    await toast.get_by_role("button", name="What to do").focus()
    await agent.page.clock.fast_forward(20_000)
    await expect(toast).to_be_visible()
    await agent.page.locator("#task-indicator").focus()
    await agent.page.clock.fast_forward(8_001)
    await expect(toast).to_have_count(0)
    await expect(agent.page.locator(".task-indicator-badge")).to_have_text("1")


async def test_who_is_too_late_to_retry_is_told_why_and_sees_what_is_true_now(person: People, portal: Portal) -> None:
    name = f"late{uuid4().hex[:6]}"  # somebody whose failures are these two, whatever the demo's agents have
    portal.person(name, "booking_agent")
    task = portal.failure("Hedy Gone (K1000008)", of=name)
    portal.failure("Ida Stays (K1000009)", of=name, code="other", message="Another reason.")
    agent = await person()
    await agent.page.route("**/events", lambda route: route.abort())  # so that the page does not hear of it first
    await agent.keep_session(name)
    await agent.open("dashboard.html")
    await agent.page.get_by_role("button", name="2 failed tasks").click()
    with portal.database() as database:
        database.execute("select public.retry_background_task(%s)", [task])
    panel = agent.page.locator("#task-panel")
    await panel.locator(f'[data-task-id="{task}"]').get_by_role("button", name="Retry").click()
    await expect(panel.locator("#task-panel-problem")).to_contain_text("Not started again")
    await expect(panel.locator(".task-panel-item")).to_have_count(1)
    await expect(panel).to_contain_text("Ida Stays")


async def tab_to(one: Person, target: Locator) -> None:
    """Moves the focus with Tab alone."""
    for _ in range(40):
        if await target.evaluate("(node) => node === document.activeElement"):
            return
        await one.press("Tab")
    raise AssertionError(f"Tab does not lead to {target}")
