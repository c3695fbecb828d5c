"""A name is only ever a name: whatever is typed, or said by a vendor, shows as text on every page."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.conftest import People
from tests.browser.person import Person
from tests.browser.portal import Portal

EVIL = "<img src=x onerror=alert(1)>"
SCRIPT = "</p><script>alert(2)</script>{{7*7}}"


async def test_markup_typed_or_answered_shows_as_text_everywhere(person: People, portal: Portal) -> None:
    saved = portal.client(EVIL, "Roe", city=EVIL, civicAddress=EVIL, notes=SCRIPT, emergencyContactName=EVIL)
    agent = await person()
    await agent.come_back("agent", f"clients.html?q={saved['kNumber']}")
    row = agent.page.locator("#clientRows tr", has_text=saved["kNumber"])
    await expect(row.get_by_role("link", name=f"Roe, {EVIL}")).to_be_visible()
    await expect(row).to_contain_text(f"{EVIL}, NS")

    await row.get_by_role("link", name="Roe,").click()
    card = agent.page.locator("#clientCard")
    await expect(card.get_by_role("heading", level=2)).to_have_text(f"{EVIL} Roe")
    await expect(card).to_contain_text(SCRIPT)
    await expect(agent.page).not_to_have_title(re.compile("Roe"))  # no name in the browser's history

    for number in range(2):
        strange = {"message": f"{EVIL} said no.", "hint": SCRIPT, "code": f"<b>{number}", "task_type": f"<i>{number}"}
        portal.failure(saved["label"], client_id=saved["client_id"], **strange)
    await expect(agent.page.locator(".task-toast").last).to_contain_text(f"{EVIL} said no.")
    await expect(row).to_contain_text(f"{EVIL} said no.")
    await expect(card).to_contain_text(f"{EVIL} said no.")
    await agent.page.locator("#task-indicator").click()
    item = agent.page.locator("#task-panel .task-panel-item").first
    await expect(item.get_by_role("heading")).to_contain_text(f"<i>1 for {saved['label']}")
    await expect(item).to_contain_text(SCRIPT)
    await nothing_ran(agent)

    supervisor = await person()
    await supervisor.come_back("supervisor")
    await expect(supervisor.page.locator("#failed-tasks-widget")).to_contain_text(f"<i>1: {EVIL} said no.")
    await supervisor.page.get_by_role("button", name="View Details").click()
    await expect(supervisor.page.locator("#task-panel")).to_contain_text(SCRIPT)
    await nothing_ran(supervisor)


async def test_a_search_for_markup_shows_it_as_text(person: People) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3Ezz")
    await expect(agent.page.locator("#listState")).to_contain_text(f"No client matches “{EVIL}zz”")
    await nothing_ran(agent)


async def nothing_ran(one: Person) -> None:
    """No element came of it. (An opened dialog, a script error or a report of the policy fails the test by itself.)"""
    await expect(one.page.locator("img, main script, dialog script, main b, main i")).to_have_count(0)
