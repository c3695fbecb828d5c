"""The page Admin beyond its users: the office's settings, its messages' words, its health; and whose trips an account sees."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.conftest import People
from tests.browser.person import Person
from tests.browser.portal import PASSWORD, Portal
from tests.browser.test_accessibility import sound

_AS_NEW = """
update public.office_settings set value = v.value
  from (values ('business_name', '"Dispatch office"'::jsonb), ('reminder_window_end', '"20:00"'), ('notices_on', 'true'),
               ('tax_rate', '0.14')) v (key, value)
 where office_settings.key = v.key
"""


@pytest.fixture(autouse=True)
def as_new(portal: Portal) -> Iterator[None]:
    """The office's settings and words are the usual ones again."""
    yield
    with portal.database() as database:
        database.execute(_AS_NEW)
        database.execute("update public.message_templates set body = usual_body")


async def at(person: People, tab: str, **how: bool) -> Person:
    admin = await person(**how)
    await admin.come_back("admin", f"admin.html?tab={tab}")
    return admin


def setting(page: Page, label: str) -> Locator:
    return page.locator("#settingsForm").get_by_label(label)


# ── Settings ──


async def test_settings_are_changed_refused_at_their_field_and_saved_and_nothing_typed_is_lost(person: People) -> None:
    page = (await at(person, "settings")).page
    await expect(setting(page, "Hours before the pickup")).to_have_value("24")
    await expect(page.locator("#set-reminder_hours_before-help")).to_contain_text("usually 24 hours")
    await setting(page, "Business name").fill("Rural Rides")
    await setting(page, "Latest reminder").fill("07:00")
    await expect(page.locator("#settingsUnsaved")).to_have_text("Not saved yet: Business name, Latest reminder")
    await page.get_by_role("button", name="Save settings").click()
    await expect(page.locator("#set-reminder_window_end-fault")).to_contain_text("must be later in the day than the earliest")
    await expect(page.locator("#settingsForm .form-summary")).to_be_focused()
    await page.get_by_role("link", name="Messages").click()
    await expect(page.get_by_role("heading", name="Messages")).to_be_visible()
    await page.go_back()
    await expect(setting(page, "Business name")).to_have_value("Rural Rides")
    await page.reload()
    await expect(page.locator("#settingsForm .draft-note")).to_contain_text("Restored what you had typed.")
    await expect(setting(page, "Latest reminder")).to_have_value("07:00")
    await setting(page, "Latest reminder").fill("18:30")
    await setting(page, "Tax rate").fill("15")
    await setting(page, "Send notices").uncheck()
    await page.get_by_role("button", name="Save settings").click()
    await expect(page.locator("#settingsSaved")).to_have_text("Settings saved.")
    await expect(page.locator("#settingsUnsaved")).to_have_text("")
    await page.reload()
    await expect(setting(page, "Business name")).to_have_value("Rural Rides")
    await expect(setting(page, "Tax rate")).to_have_value("15")
    await expect(setting(page, "Send notices")).not_to_be_checked()
    await expect(page.locator("#set-tax_rate-help")).to_contain_text("Changed by Ada Admin")
    await expect(page.locator("#settingsForm .draft-note")).to_have_count(0)
    await page.get_by_label("Business name").fill("Something else")
    await page.get_by_role("button", name="Discard changes").click()
    await expect(setting(page, "Business name")).to_have_value("Rural Rides")
    await expect(page.get_by_role("button", name="Discard changes")).to_be_hidden()


# ── Messages ──


async def test_settings_on_their_way_cannot_be_changed_until_they_are_saved(person: People) -> None:
    page = (await at(person, "settings")).page
    answered = asyncio.Event()

    async def take_long(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await page.route("**/update-office-settings", take_long)
    await setting(page, "Business name").fill("Rural Rides")
    await page.get_by_role("button", name="Save settings").click()
    await expect(page.get_by_role("button", name="Saving…")).to_be_visible()
    await expect(setting(page, "Latest reminder")).not_to_be_editable()
    await setting(page, "Send notices").press("Space")
    await page.get_by_text("Send notices").click(force=True)
    await expect(setting(page, "Send notices")).to_be_checked()
    answered.set()
    await expect(page.locator("#settingsSaved")).not_to_be_empty()
    await expect(page.locator("#settingsUnsaved")).to_have_text("")
    await setting(page, "Latest reminder").fill("19:30")
    await expect(page.locator("#settingsUnsaved")).to_have_text("Not saved yet: Latest reminder")


async def test_an_answer_about_some_words_is_not_told_under_others_chosen_meanwhile(person: People) -> None:
    page = (await at(person, "messages&message=client-reminder")).page
    words, saved, mine = page.get_by_label("Words"), page.locator("#messageSaved"), page.locator("[data-message=client-reminder]")
    other = page.locator("[data-message=driver-assigned]")
    answered = asyncio.Event()
    refuses = True

    async def take_long(route: Route) -> None:
        await answered.wait()
        if refuses:
            await route.fulfill(status=400, json={"success": False, "message": "Not these words"})
        else:
            await route.continue_()

    await page.route("**/update-message-template", take_long)
    for refuses in (True, False):
        answered.clear()
        await words.fill("Be ready at {pickup_time}")
        await page.get_by_role("button", name="Save these words").click()
        await other.click()
        async with page.expect_response("**/update-message-template"):
            answered.set()
        await expect(page.get_by_role("button", name="Save these words")).to_be_visible()
        await expect(page.locator("#messageForm .problem")).to_have_count(0)
        await expect(saved).to_be_empty()
        await expect(mine.get_by_text("Not saved")).to_have_count(1 if refuses else 0)
        await mine.click()
        await expect(words).to_have_value("Be ready at {pickup_time}")
        await expect(page.locator("#messageForm .problem")).to_have_count(1 if refuses else 0)


async def test_words_are_written_with_chips_seen_filled_in_counted_and_brought_back(person: People) -> None:
    admin = await at(person, "messages&message=client-reminder")
    page = admin.page
    words, shown, cost = page.get_by_label("Words"), page.locator("#messagePreview"), page.locator("#messageCost")
    await expect(shown).to_have_text("Reminder: your ride is Tuesday 1 December, pickup 9:30 am. Dispatch office")
    await words.fill("Be ready at ")
    await page.get_by_role("button", name="Pickup time").click()
    await expect(words).to_be_focused()
    await page.keyboard.type(" – please")
    await expect(shown).to_have_text("Be ready at 9:30 am – please")
    await expect(cost).to_contain_text("1 text, 28 characters; room for 42 more in it.")
    await expect(cost).to_contain_text("“–” leaves room for 70 characters")
    await page.keyboard.type(" at {clinic}")
    await expect(cost).to_contain_text("Text cannot name {clinic}")
    await page.get_by_role("button", name="Save these words").click()
    await expect(page.locator("#messageBody-fault")).to_contain_text("Text cannot name {clinic}")
    await page.locator("[data-message=driver-assigned]").click()
    await expect(page).to_have_url(re.compile(r"message=driver-assigned$"))
    await page.go_back()
    await expect(words).to_have_value("Be ready at {pickup_time} – please at {clinic}")
    await page.reload()
    await expect(words).to_have_value("Be ready at {pickup_time} – please at {clinic}")
    await page.locator("#messageForm .draft-note").get_by_role("button", name="Discard").click()
    await expect(words).to_have_value(re.compile("^Reminder: your ride"))
    await words.fill("Be ready at {pickup_time}")
    await page.get_by_role("button", name="Save these words").click()
    await expect(page.locator("#messageSaved")).to_have_text("The next message says the new words.")
    await page.reload()
    await expect(words).to_have_value("Be ready at {pickup_time}")
    await expect(page.locator("[data-message=client-reminder]")).to_contain_text("Own words")
    await page.get_by_role("button", name="Use the usual words").click()
    await page.get_by_role("button", name="Save these words").click()
    await expect(page.locator("#messageSaved")).to_have_text("It says the usual words.")
    await expect(page.locator("[data-message=client-reminder]")).not_to_contain_text("Own words")


# ── Health ──


async def test_health_tells_what_is_not_well_by_itself_and_never_a_secret(person: People, portal: Portal) -> None:
    with portal.database() as database:
        database.execute("insert into private.audit_checks (entries) values (7)")
    page = (await at(person, "health")).page
    await expect(page.locator("#serviceRows tr")).to_have_count(5)
    await expect(page.locator("#workerLine")).to_contain_text("1 alive")
    await expect(page.locator("#scheduleRows")).to_contain_text("looks every 5 minutes")
    await expect(page.locator("#scheduleRows")).to_contain_text("Daily audit check")
    await expect(page.locator("#auditLine")).to_contain_text("The chain was last found whole")
    await page.get_by_text("Settings of this installation").click()
    await page.get_by_label("Find a setting").fill("demo_password")
    await expect(page.locator("#installationRows tr:visible")).to_have_count(1)
    await expect(page.locator("#installationRows tr:visible code")).to_have_text("set")
    assert PASSWORD not in await page.content()
    with portal.database() as database:
        database.execute("select private.hold_service('slack', 60, 'Slack no longer takes our alerts.', 'slack.no_service')")
    portal.failure("Jane Roe (K5000009)")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as when the page is seen again
    slack = page.locator("#serviceRows tr", has_text="Slack")
    await expect(slack).to_contain_text("Slack no longer takes our alerts.")
    await expect(slack.locator(".todo")).to_contain_text("an administrator corrects it")
    await expect(page.locator("#healthWord")).to_have_text("One thing needs somebody")
    await page.get_by_role("button", name="1 failed task of Inner work: show all failures").click()
    await expect(page.locator("#task-panel")).to_contain_text("Jane Roe (K5000009)")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Ask them all now").click()
    await expect(page.locator("#askedServices li", has_text="Google Calendar")).to_contain_text("answers")


# ── Whose trips an account sees ──


async def test_a_drivers_account_is_linked_by_keyboard_and_unlinked_and_back(person: People, portal: Portal) -> None:
    name = f"u{uuid4().hex[:7]}"
    portal.person(name, "driver")
    admin = await person()
    await admin.come_back("admin", f"admin.html?q={name}")
    page = admin.page
    await page.locator("#userRows").get_by_role("link").click()
    card, dialog = page.locator("#userCard"), page.locator("#linkModal")
    await expect(card.locator(".user-link")).to_contain_text("Linked to no driver yet: this account sees no trips.")
    await card.get_by_role("button", name="Choose the driver").focus()
    await admin.press("Enter")
    await expect(dialog.get_by_label("Name or e-mail")).to_be_focused()
    await page.keyboard.type("Avery")
    await expect(dialog.locator(".link-choice")).to_contain_text(["has an account: Avery Roadly"])
    await dialog.get_by_label("Name or e-mail").fill("Esme")
    await expect(dialog.locator(".link-choice")).to_have_count(1)
    await expect(dialog.locator(".link-choice")).to_contain_text("Esme Highway")
    await admin.press("Tab", "Enter")
    await expect(page.locator("#savedNote")).to_contain_text("account sees the trips of Esme Highway now.")
    await expect(card.locator(".user-link")).to_contain_text("Sees the trips of Esme Highway")
    await card.get_by_role("button", name="Unlink").click()
    await expect(page.locator("#savedNote")).to_contain_text("it sees no trips.")
    await page.locator("#savedNote").get_by_role("button", name="Undo").click()
    await expect(card.locator(".user-link")).to_contain_text("Sees the trips of Esme Highway")
    await card.get_by_role("button", name="Unlink").click()
    await expect(card.locator(".user-link")).to_contain_text("Linked to no driver yet")


# ── Whoever needs it ──


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light", "phone, dark"])
async def test_no_tab_has_a_fault_that_axe_finds_or_is_too_wide(person: People, dark: bool, phone: bool) -> None:
    admin = await at(person, "settings", dark=dark, phone=phone)
    page = admin.page
    await setting(page, "Latest reminder").fill("07:00")
    await page.get_by_role("button", name="Save settings").click()
    await expect(page.locator("#settingsForm .form-summary")).to_be_focused()
    await sound(admin, "settings with a fault", phone)
    await admin.open("admin.html?tab=messages")
    await page.get_by_label("Words").fill("{clinic} – " + "w" * 300)
    await expect(page.locator("#messageCost")).to_contain_text("Text cannot name {clinic}")
    await sound(admin, "messages", phone)
    await admin.open("admin.html?tab=health")
    await page.get_by_text("Settings of this installation").click()
    await expect(page.locator("#installationRows")).to_contain_text("worker_tasks")
    await sound(admin, "health", phone)
    await admin.open("admin.html?q=driver")
    await page.locator("#userRows").get_by_role("link").first.click()
    await page.locator("#userCard").get_by_role("button", name="Choose another driver").click()
    await expect(page.locator("#linkChoices li").first).to_be_visible()
    await sound(admin, "choosing a driver", phone)
