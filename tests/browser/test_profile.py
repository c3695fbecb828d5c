"""The profile page, and the page of the first administrator: what everybody looks after themselves."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import People
from tests.browser.person import Person, lose_the_first_answer
from tests.browser.portal import PASSWORD, Portal
from tests.browser.test_accessibility import sound

_SIGNED_IN_LONG_AGO = """
update public.user_sessions s set created_at = now() - interval '10 minutes', proved_at = null
  from public.users u where u.id = s.user_id and u.username = %s
"""


@pytest.fixture
def petra(portal: Portal) -> str:
    """The name of somebody whose profile is nobody else's matter."""
    name = f"petra{uuid4().hex[:6]}"
    portal.person(name, "booking_agent")
    return name


async def at_profile(one: Person, name: str, password: str = PASSWORD) -> Page:
    """Signs in, with a session of their own, and opens the profile by the name in the header."""
    await one.sign_in(name, password)
    await one.go_live()
    await one.page.locator("#userName").click()
    await expect(one.page.locator("#profilePage")).to_be_visible()
    return one.page


async def save(page: Page) -> None:
    await page.get_by_role("button", name="Save", exact=True).click()


async def said(page: Page, text: str) -> None:
    await expect(page.locator("#profileAlert")).to_contain_text(text)


# ── The details ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_name_is_saved_without_a_password_and_shows_in_the_header_of_every_page(person: People, petra: str) -> None:
    one = await person()
    page = await at_profile(one, petra)
    await expect(page.get_by_label("Sign-in name")).to_be_disabled()
    await expect(page.get_by_label("Sign-in name")).to_have_value(f"{petra}@demo.test")
    await page.get_by_label("Full name").fill(" Petra   Paper ")
    await expect(page.locator("#unsavedNote")).to_be_visible()
    await expect(page.locator("#proofField")).to_be_hidden()
    await save(page)
    await said(page, "Profile updated successfully")
    await expect(page.locator("#unsavedNote")).to_be_hidden()
    await expect(page.get_by_label("Full name")).to_have_value("Petra Paper")
    await expect(page.locator("#userName")).to_have_text("Petra Paper")
    await expect(page.locator("#userName")).to_have_attribute("aria-current", "page")
    await expect(page.locator("#task-indicator")).to_be_visible()
    await one.open("clients.html")
    await expect(page.locator("#userName")).to_have_text("Petra Paper")
    await one.open("profile.html")
    await save(page)
    await said(page, "Everything is as it was")


async def test_a_new_phone_asks_for_the_password_at_once_and_a_wrong_one_is_told_with_all_that_was_typed_kept(
    person: People, petra: str
) -> None:
    page = await at_profile(await person(), petra)
    await page.get_by_label("Phone (optional)").fill("(902) 555 0177")
    proof = page.locator("#profileForm").get_by_label("Current password")
    await expect(proof).to_be_visible()
    await save(page)
    await said(page, "Current password is required to change e-mail or phone")
    await proof.fill("wrong")
    await page.get_by_label("Full name").fill("Petra Typed")
    await save(page)
    await expect(page.locator("#proof-fault")).to_have_text("Current password is incorrect")
    await expect(page.get_by_label("Full name")).to_have_value("Petra Typed")
    await expect(page.get_by_label("Phone (optional)")).to_have_value("902-555-0177")
    await expect(proof).to_have_value("wrong")
    await proof.fill(PASSWORD)
    await save(page)
    await said(page, "Profile updated successfully")
    await expect(proof).to_be_hidden()
    await page.reload()
    await expect(page.get_by_label("Phone (optional)")).to_have_value("902-555-0177")
    await expect(page.get_by_label("Full name")).to_have_value("Petra Typed")


async def test_where_only_the_server_sees_a_change_it_asks_for_the_password_itself(
    person: People, portal: Portal, petra: str
) -> None:
    page = await at_profile(await person(), petra)
    with portal.database() as database:
        database.execute("update public.users set phone = '+19025550188' where username = %s", [f"{petra}@demo.test"])
    await page.get_by_label("Full name").fill("Petra Two")
    await save(page)
    await said(page, "Current password is required to change e-mail or phone")
    await expect(page.locator("#profileForm").get_by_label("Current password")).to_be_visible()


async def test_an_address_of_somebody_else_is_told_at_its_field(person: People, petra: str) -> None:
    page = await at_profile(await person(), petra)
    await page.get_by_label("E-mail").fill("Agent2@Demo.Test")
    await page.locator("#profileForm").get_by_label("Current password").fill(PASSWORD)
    await save(page)
    await said(page, "Email already in use")
    await expect(page.locator("#email-fault")).to_have_text("Email already in use")
    await expect(page.get_by_label("E-mail")).to_have_value("agent2@demo.test")


async def test_saving_again_after_the_answer_was_lost_saves_once(person: People, portal: Portal, petra: str) -> None:
    page = await at_profile(await person(), petra)
    keys = await lose_the_first_answer(page, "update-user-profile")
    await page.get_by_label("Full name").fill("Petra Once")
    await save(page)
    await said(page, "What you typed is kept")
    await save(page)
    await said(page, "Profile updated successfully")
    assert keys[0] == keys[1]
    with portal.database() as database:
        entries = database.execute(
            "select 1 from public.audit_logs where action = 'update_profile' and user_name = 'Petra Once'"
        ).fetchall()
    assert len(entries) == 1


async def test_leaving_with_something_unsaved_is_warned_of_and_signing_out_is_not(person: People, petra: str) -> None:
    one = await person()
    page = await at_profile(one, petra)
    await page.get_by_label("Full name").fill("Petra Unsaved")
    await page.get_by_role("link", name="Clients", exact=True).click()
    async with asyncio.timeout(10):
        while not one.amiss:  # noqa: ASYNC110  (the browser's own question comes as an event of Playwright's)
            await asyncio.sleep(0.02)
    assert one.amiss == ["dialog: "]
    one.amiss.clear()
    await expect(page).to_have_url(f"{one.portal.url}/profile.html")
    await expect(page.get_by_label("Full name")).to_have_value("Petra Unsaved")
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(page.locator("#loginSection")).to_be_visible()


async def test_with_nothing_unsaved_one_leaves_without_a_question(person: People, petra: str) -> None:
    page = await at_profile(await person(), petra)
    await page.get_by_label("Full name").fill("Petra Gone")
    await save(page)
    await said(page, "Profile updated successfully")
    await page.get_by_role("link", name="Clients", exact=True).click()
    await expect(page.locator("#clientsTitle")).to_be_visible()


# ── The password ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_changed_password_ends_the_other_sessions_and_this_one_goes_on(person: People, petra: str) -> None:
    new = "several quiet words here"
    first, second = await person(), await person()
    elsewhere = await at_profile(second, petra)
    page = await at_profile(first, petra)
    form = page.locator("#passwordForm")
    await expect(page.locator("#sessions li")).to_have_count(2)
    await form.get_by_label("Current password").fill("wrong")
    await form.get_by_label("New password", exact=True).fill("short")
    await form.get_by_label("New password again").fill("shorter")
    await page.get_by_role("button", name="Change password").click()
    await expect(form.locator(".form-summary li")).to_have_text(
        ["New password must be at least 8 characters", "New passwords do not match"]
    )
    for label in ("New password", "New password again"):
        await form.get_by_label(label, exact=True).fill(new)
    await page.get_by_role("button", name="Change password").click()
    await expect(page.locator("#currentPassword-fault")).to_have_text("Current password is incorrect")
    await form.get_by_label("Current password").fill(PASSWORD)
    await page.get_by_role("button", name="Change password").click()
    await expect(page.locator("#passwordAlert")).to_contain_text("Password changed successfully")
    await expect(page.locator("#sessions li")).to_have_count(1)
    for label in ("Current password", "New password", "New password again"):
        await expect(form.get_by_label(label, exact=True)).to_have_value("")
    await page.get_by_label("Full name").fill("Petra Still")
    await save(page)
    await said(page, "Profile updated successfully")
    await expect(elsewhere.locator("#loginNotice")).not_to_be_empty()
    await at_profile(second, petra, new)


async def test_passwords_can_be_read_pasted_and_filled_by_a_manager(person: People, petra: str) -> None:
    """ASVS 6.2.6 and 6.2.7."""
    page = await at_profile(await person(), petra)
    form = page.locator("#passwordForm")
    kinds = {"#currentPassword": "current-password", "#newPassword": "new-password", "#confirmPassword": "new-password"}
    for field, kind in kinds.items():
        await expect(form.locator(field)).to_have_attribute("autocomplete", kind)
        await expect(form.locator(field)).to_have_attribute("type", "password")
    await expect(form.locator("#newPassword")).to_have_attribute("passwordrules", "minlength: 8; maxlength: 128;")
    await expect(form.locator("input[autocomplete=username]")).to_have_value(f"{petra}@demo.test")
    await form.get_by_label("Show what I type").check()
    for field in kinds:
        await expect(form.locator(field)).to_have_attribute("type", "text")
    await page.evaluate(
        "() => { document.querySelector('#newPassword').focus(); document.execCommand('insertText', false, 'pasted words') }"
    )
    await expect(form.locator("#newPassword")).to_have_value("pasted words")


# ── Where one is signed in ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_session_in_another_browser_is_signed_out_there_and_refused_at_once(
    person: People, portal: Portal, petra: str
) -> None:
    """ASVS 7.5.2, with the password that is asked for again."""
    first, second = await person(), await person()
    elsewhere = await at_profile(second, petra)
    page = await at_profile(first, petra)
    sessions = page.locator("#sessions li")
    await expect(sessions).to_have_count(2)
    await expect(sessions.filter(has_text="This one")).to_have_count(1)
    await expect(sessions.first).to_contain_text("Chrome on Linux")
    await expect(sessions.first).to_contain_text("From 127.0.0.1, last active just now")
    await expect(sessions.first).to_contain_text("Halifax time")
    token = await elsewhere.evaluate("sessionStorage.getItem('rrts_access_token')")
    with portal.database() as database:
        database.execute(_SIGNED_IN_LONG_AGO, [f"{petra}@demo.test"])

    await page.get_by_role("button", name="Sign out there").press("Enter")
    dialog = page.locator("#proofDialog")
    await expect(dialog.get_by_label("Current password")).to_be_focused()
    await page.keyboard.type("wrong")
    await first.press("Enter")
    await expect(dialog.locator("#proofPassword-fault")).to_have_text("Current password is incorrect")
    await dialog.get_by_label("Current password").fill(PASSWORD)
    await first.press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(sessions).to_have_count(1)
    await expect(page.get_by_role("heading", name="Where you are signed in")).to_be_focused()
    await expect(page.locator("#announcer")).to_have_text("Signed out there.")
    await expect(page.get_by_role("button", name="Sign out everywhere else")).to_be_hidden()
    answer = await elsewhere.request.get(f"{portal.url}/webhook/get-profile", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 401
    await expect(elsewhere.locator("#loginNotice")).not_to_be_empty()


async def test_everywhere_else_is_one_click_right_after_signing_in(person: People, petra: str) -> None:
    others = [await person(), await person()]
    for other in others:
        await at_profile(other, petra)
    page = await at_profile(await person(), petra)
    await expect(page.locator("#sessions li")).to_have_count(3)
    await page.get_by_role("button", name="Sign out everywhere else").click()
    await expect(page.locator("#sessions li")).to_have_count(1)
    for other in others:
        await expect(other.page.locator("#loginSection")).to_be_visible()  # by itself: an open page hears of its session's end


async def test_the_dialog_can_be_left_and_nothing_is_ended(person: People, portal: Portal, petra: str) -> None:
    first, second = await person(), await person()
    await at_profile(second, petra)
    page = await at_profile(first, petra)
    with portal.database() as database:
        database.execute(_SIGNED_IN_LONG_AGO, [f"{petra}@demo.test"])
    await page.get_by_role("button", name="Sign out everywhere else").click()
    await expect(page.locator("#proofDialog")).to_be_visible()
    await first.press("Escape")
    await expect(page.locator("#proofDialog")).to_be_hidden()
    await expect(page.get_by_role("button", name="Sign out everywhere else")).to_be_focused()
    await expect(page.locator("#sessions li")).to_have_count(2)


# ── For everybody ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"])
async def test_the_pages_have_no_fault_that_axe_finds_and_fit(
    person: People, portal: Portal, petra: str, dark: bool, phone: bool
) -> None:
    await (await person()).sign_in(petra)
    one = await person(dark=dark, phone=phone)
    await one.sign_in(petra)
    await one.go_live()
    await one.open("profile.html")
    page = one.page
    await expect(page.locator("#sessions li")).to_have_count(2)
    await sound(one, "profile", phone)
    await page.get_by_label("Full name").fill("")
    await page.get_by_label("Phone (optional)").fill("12")
    await save(page)
    await expect(page.locator(".form-summary")).to_be_focused()
    await page.get_by_role("button", name="Change password").click()
    await sound(one, "profile with faults", phone)
    with portal.database() as database:
        database.execute(_SIGNED_IN_LONG_AGO, [f"{petra}@demo.test"])
    await page.get_by_role("button", name="Sign out everywhere else").click()
    await expect(page.locator("#proofDialog")).to_be_visible()
    await sound(one, "dialog", phone)
    await one.press("Escape")
    if phone:
        await page.get_by_role("button", name="Menu").tap()
        await sound(one, "menu", phone)
    await page.get_by_label("Full name").fill("Petra Ending")
    await page.get_by_label("Phone (optional)").fill("")
    await save(page)
    await said(page, "Profile updated successfully")
    await sound(one, "profile, saved", phone)

    stranger = await person(dark=dark, phone=phone)
    await stranger.open("setup.html#token=made-up")
    await expect(stranger.page.locator("#setupState")).to_contain_text("This link is not good any more")
    await sound(stranger, "setup, dead link", phone)
    await stranger.page.route("**/check-setup-link", lambda route: route.fulfill(json={"success": True}))
    await stranger.page.reload()
    await stranger.page.get_by_role("button", name="Create the administrator").click()
    await expect(stranger.page.locator(".form-summary")).to_be_focused()
    await sound(stranger, "setup with faults", phone)


async def test_the_form_is_filled_in_and_saved_by_keyboard_alone(person: People, petra: str) -> None:
    one = await person()
    page = await at_profile(one, petra)
    await page.get_by_label("Full name").focus()
    await one.press("Control+A")
    await page.keyboard.type("Petra Keys")
    await one.press("Tab", "Tab")
    await expect(page.get_by_label("Phone (optional)")).to_be_focused()
    await page.keyboard.type("902-555-0166")
    await one.press("Tab")
    await expect(page.locator("#profileForm").get_by_label("Current password")).to_be_focused()
    await page.keyboard.type(PASSWORD)
    await one.press("Enter")
    await said(page, "Profile updated successfully")
    await expect(page.locator("#announcer")).to_have_text("Profile updated successfully")


async def test_a_profile_that_cannot_be_read_says_so_and_is_read_at_the_second_try(person: People, petra: str) -> None:
    one = await person()
    await one.sign_in(petra)
    await one.go_live()
    await one.page.route("**/get-profile", lambda route: route.abort())
    await one.open("profile.html")
    await expect(one.page.locator("#profileState")).to_contain_text("The server cannot be reached")
    await one.page.unroute("**/get-profile")
    await one.page.get_by_role("button", name="Try again").click()
    await expect(one.page.get_by_label("Sign-in name")).to_have_value(f"{petra}@demo.test")


async def test_after_signing_in_the_profile_that_was_asked_for_is_opened(person: People, petra: str) -> None:
    one = await person()
    await one.open("profile.html")
    await one.page.get_by_label("E-mail").fill(f"{petra}@demo.test")
    await one.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await one.press("Enter")
    await expect(one.page).to_have_url(f"{one.portal.url}/profile.html")


# ── The first administrator ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_setup_page_makes_the_administrator_and_forgets_the_link(person: People) -> None:
    """The server's part is proved in tests/test_first_admin.py; this portal has an administrator, so its answers are put here."""
    one = await person()
    sent: list[dict[str, str]] = []

    async def answer(route: Route) -> None:
        sent.append(route.request.post_data_json)
        if len(sent) == 1:
            fault = {"username": "Username already in use"}
            said = {"success": False, "message": "Username already in use", "what": "Username already in use", "fields": fault}
            await route.fulfill(status=409, json=said)
        else:
            await route.fulfill(json={"success": True, "message": "Administrator created.", "username": sent[-1]["email"]})

    await one.page.route("**/check-setup-link", lambda route: route.fulfill(json={"success": True}))
    await one.page.route("**/create-first-admin", answer)
    await one.open("setup.html#token=the-token")
    await one.page.get_by_label("Full name").fill("Ada First")
    await one.page.get_by_label("E-mail").fill("ada@example.test")
    await one.page.get_by_label("Password", exact=True).fill("quite a good secret")
    await one.page.get_by_label("Password again").fill("quite a good secret")
    await one.press("Enter")
    await expect(one.page.locator("#email-fault")).to_have_text("Username already in use")
    await expect(one.page.get_by_label("Password", exact=True)).to_have_value("quite a good secret")
    await one.press("Enter")
    await one.page.get_by_role("button", name="Create the administrator").click()
    await expect(one.page.get_by_role("heading", name="You are the administrator")).to_be_focused()
    await expect(one.page.locator("#setupLead")).to_contain_text("ada@example.test")
    await expect(one.page).to_have_url(f"{one.portal.url}/setup.html")
    assert sent[-1]["token"] == "the-token"
    await one.page.get_by_role("link", name="Sign in").click()
    await expect(one.page.locator("#loginSection")).to_be_visible()
