"""The pages for everybody: screen reader, keyboard, phone, large text, dark room, no motion."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.browser.conftest import People
from tests.browser.person import Person
from tests.browser.portal import Portal

_TOO_WIDE = "document.scrollingElement.scrollWidth - innerWidth"
_SMALL_TARGETS = """
[...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
  .map((node) => [node, node.getBoundingClientRect()])
  .filter(([node, { width, height }]) => node.checkVisibility() && width > 1 && (width < 24 || height < 24))
  .filter(([node]) => !node.closest(".skip-link"))
  .map(([node, { width, height }]) => `${node.outerHTML.slice(0, 80)} is ${Math.round(width)} × ${Math.round(height)}`)
"""
# A screen reader speaks what changes in a live region, unless an open dialog has put the region out of reach.
LISTEN = """
() => {
  const said = []
  let wake = () => {}
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      for (const node of [target, ...addedNodes]) {
        const region = (node.nodeType === 1 ? node : node.parentElement)?.closest("[role=alert], [role=status], [aria-live]")
        const dialog = document.querySelector("dialog[open]")
        if (region && (!dialog || dialog.contains(region))) said.push(region.textContent)
      }
    }
    wake()
  }).observe(document.body, { childList: true, subtree: true, characterData: true })
  window.spoken = async (words) => {
    while (!said.some((text) => words.every((word) => text.includes(word)))) await new Promise((resolve) => { wake = resolve })
  }
}
"""
_TWICE = "addEventListener('DOMContentLoaded', () => { document.documentElement.style.fontSize = '200%' })"
_FOCUSED = "document.activeElement.ariaLabel ?? document.activeElement.innerText.trim().split('\\n')[0]"
_NO_RING = """
() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement)
  return outlineStyle === "none" || parseFloat(outlineWidth) < 2 ? document.activeElement.outerHTML.slice(0, 80) : null
}
"""


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"])
async def test_no_page_in_any_state_has_a_fault_that_axe_finds_or_is_too_wide(
    person: People, portal: Portal, dark: bool, phone: bool
) -> None:
    client = portal.client("Ada", "Accessible", notes="A long note. " * 20)
    stranger = await person(dark=dark, phone=phone)
    await stranger.open("dashboard.html")
    await expect(stranger.page.locator("#demoUsers button")).to_have_count(4)
    await stranger.page.get_by_role("button", name="Sign in").click()
    await expect(stranger.page.locator("#loginError .problem")).to_be_visible()
    await sound(stranger, "sign-in", phone)

    one = await person(dark=dark, phone=phone)
    await one.come_back("supervisor")
    await expect(one.page.locator("#failedTasksLabel")).to_have_text("All tasks completed")
    await sound(one, "dashboard without failures", phone)

    for number in range(2):
        portal.failure(client["label"], client_id=client["client_id"], of="agent")
        portal.failure(f"Long {'name' * 12} {number}", of="supervisor", message=f"{'Nobodyknowswhy' * 8}.", code="other")
    await expect(one.page.locator(".task-toast")).to_have_count(2)
    await expect(one.page.locator("#failedTasksCount")).to_have_text("4")
    await sound(one, "dashboard with failures and toasts", phone)

    await one.page.locator("#task-indicator").click()
    await expect(one.page.locator("#task-panel .task-group")).to_have_count(2)
    await sound(one, "panel", phone)
    await one.page.locator("#task-panel").get_by_role("button", name="Dismiss everybody's").click()
    await expect(one.page.locator("#task-panel-undo .undo-line")).to_be_visible()
    await sound(one, "panel, emptied", phone)
    await one.page.locator("#task-panel").get_by_role("button", name="Undo").click()
    await expect(one.page.locator("#task-panel .task-group")).to_have_count(2)

    await one.open(f"clients.html?id={client['client_id']}&highlight=true")
    await expect(one.page.locator("#clientCard .open-failure")).to_have_count(2)
    await expect(one.page.locator("#clientCard .drive-times tbody tr")).to_have_count(12)
    await sound(one, "client card", phone)
    await one.page.locator("#clientCard").get_by_role("button", name="Close").click()
    await expect(one.page.locator("#clientTable")).to_be_visible()
    await sound(one, "clients", phone)

    await one.page.get_by_role("button", name="Add client").click()
    await sound(one, "form", phone)
    await one.page.get_by_text("A second address").click()
    await one.page.get_by_label("Second postal code (optional)").fill("90210")
    await one.page.get_by_role("button", name="Save client").click()
    await expect(one.page.locator(".form-summary")).to_be_focused()
    await sound(one, "form with faults", phone)

    nobody = {"success": True, "clients": [], "next": None, "count": 0}
    await one.page.route("**/get-clients?*", lambda route: route.fulfill(json=nobody))
    await one.open("clients.html")
    await expect(one.page.get_by_role("button", name="Add the first client")).to_be_visible()
    await sound(one, "no clients yet", phone)


async def sound(one: Person, state: str, phone: bool) -> None:
    assert (state, await one.inaccessible()) == (state, [])
    assert (state, max(0, await one.page.evaluate(_TOO_WIDE))) == (state, 0)
    if phone:
        assert (state, await one.page.evaluate(_SMALL_TARGETS)) == (state, [])


async def test_text_of_twice_the_size_fits_and_nothing_is_lost(person: People, portal: Portal) -> None:
    client = portal.client("Ada", "Large")
    portal.failure(client["label"], client_id=client["client_id"])
    agent = await person()
    await agent.page.add_init_script(_TWICE)
    await agent.keep_session("agent")
    for path in ("dashboard.html", "clients.html", f"clients.html?id={client['client_id']}"):
        await agent.open(path)
        await expect(agent.page.locator(".task-indicator-badge")).to_have_text("1")
        assert (path, max(0, await agent.page.evaluate(_TOO_WIDE))) == (path, 0)
        await expect(agent.page.get_by_role("button", name="Sign out")).to_be_in_viewport()
    await agent.page.locator("#task-indicator").click()
    await agent.page.locator("#task-panel").get_by_role("button", name="Dismiss", exact=False).last.scroll_into_view_if_needed()
    await expect(agent.page.locator("#task-panel").get_by_role("button", name="Close the panel")).to_be_in_viewport(ratio=1)


async def test_a_screen_reader_hears_of_a_failure_and_of_what_was_done(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.come_back("agent")
    await agent.page.evaluate(LISTEN)
    portal.failure("Heard Aloud (K5000001)")
    await heard(agent, "Heard Aloud", "does not accept our key")
    panel = agent.page.locator("#task-panel")
    await agent.page.locator("#task-indicator").click()
    await panel.get_by_role("button", name="Dismiss: Send notification").click()
    await heard(agent, "Dismissed: Send notification for Heard Aloud")
    await panel.get_by_role("button", name="Undo").click()
    await heard(agent, "Taken back.")
    await panel.get_by_role("button", name="Retry: Send notification").click()
    await heard(agent, "Started again: Send notification for Heard Aloud")


async def heard(one: Person, *words: str) -> None:
    async with asyncio.timeout(15):
        await one.page.evaluate("(words) => spoken(words)", list(words))


async def test_the_focus_goes_through_the_page_in_its_order_and_is_always_seen(person: People, portal: Portal) -> None:
    portal.failure("In Order (K5000002)")
    agent = await person()
    await agent.come_back("agent")
    await expect(agent.page.locator(".task-panel-item")).to_be_visible()
    seen: list[str] = []
    for _ in range(12):
        await agent.press("Tab")
        assert await agent.page.evaluate(_NO_RING) is None
        seen.append(
            await agent.page.evaluate(
                "document.activeElement.ariaLabel ?? document.activeElement.innerText.trim().split('\\n')[0]"
            )
        )
    assert seen == [
        "Skip to the content",
        "Backhaul",
        "Dashboard",
        "Appointments",
        "Clients",
        "Colours: as this device",
        "Alex Agent: your profile",
        "1 failed task",
        "Sign out",
        "View Client",
        "Retry: Send notification for In Order (K5000002)",
        "Dismiss: Send notification for In Order (K5000002)",
    ]


async def test_the_skip_link_leads_past_the_header(person: People) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    await agent.press("Tab", "Enter", "Tab")
    await expect(agent.page.get_by_role("button", name="Add client")).to_be_focused()


async def test_who_wants_no_motion_sees_none_and_who_chooses_dark_keeps_it(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.come_back("agent")
    portal.failure("Still Standing (K5000003)")
    await expect(agent.page.locator(".task-toast")).to_be_visible()
    assert await agent.page.evaluate("document.getAnimations().length") == 0
    await agent.page.get_by_role("button", name="Colours: as this device").click()
    await agent.page.get_by_role("button", name="Colours: light").click()
    await expect(agent.page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    await agent.open("clients.html")
    await expect(agent.page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    await expect(agent.page.get_by_role("button", name="Colours: dark")).to_be_visible()


async def test_on_a_phone_the_menu_opens_the_pages_and_the_card_takes_the_lists_place(person: People, portal: Portal) -> None:
    client = portal.client("Phoebe", "Phone")
    agent = await person(phone=True)
    await agent.come_back("agent")
    await expect(agent.page.get_by_role("link", name="Clients", exact=True)).to_be_hidden()
    await agent.page.get_by_role("button", name="Menu").tap()
    await agent.page.get_by_role("navigation").get_by_role("link", name="Clients").tap()
    await agent.page.get_by_label("Search the clients").fill(client["kNumber"])
    await agent.page.get_by_role("link", name="Phone, Phoebe").tap()
    await expect(agent.page.get_by_role("heading", name="Phoebe Phone")).to_be_in_viewport()
    await expect(agent.page.locator("#clientTable")).to_be_hidden()
    await agent.page.go_back()
    await expect(agent.page.locator("#clientTable")).to_be_visible()
    await expect(agent.page.locator("#clientCard")).to_be_hidden()
