"""The page Users: administrators find, invite, change, lock out and let in again, by mouse, keyboard, and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Faults, People
from tests.browser.person import Person, lose_the_first_answer
from tests.browser.portal import PASSWORD, Portal
from tests.browser.test_accessibility import sound

OWN = "seven herons stood in the mist"
_LOCK = """
insert into private.sign_in_guesses values (private.name_hash(%s), '', 5, now(), now() + interval '12 minutes')
"""
NewUser = Callable[..., str]


@pytest.fixture
def somebody(portal: Portal) -> NewUser:
    """somebody("driver"): the name of one more user, by which their row is found."""

    def make(role: str = "driver") -> str:
        name = f"u{uuid4().hex[:7]}"
        portal.person(name, role)
        return name

    return make


async def at_users(person: People, path: str = "admin.html", **how: bool) -> Person:
    admin = await person(**how)
    await admin.come_back("admin", path)
    await expect(admin.page.locator("#userRows tr").first).to_be_visible()
    return admin


def row(page: Page, name: str) -> Locator:
    return page.locator("#userRows tr", has_text=f"{name}@demo.test")


async def open_card(page: Page, name: str) -> Locator:
    await row(page, name).get_by_role("link").click()
    card = page.locator("#userCard")
    await expect(card.get_by_role("heading", name=f"{name.title()} Demo")).to_be_visible()
    return card


async def noted(page: Page, text: str) -> None:
    await expect(page.locator("#savedNote")).to_contain_text(text)


async def fill_in(page: Page, email: str, name: str = "Jane Roe", role: str = "driver", phone: str = "") -> None:
    form = page.locator("#userForm")
    await form.get_by_label("Full name").fill(name)
    await form.get_by_label("E-mail").fill(email)
    await form.get_by_label("Role").select_option(role)
    await form.get_by_label("Phone (optional)").fill(phone)


def mail_to(portal: Portal, email: str) -> str:
    """The newest mail that the stand-in was given for this address."""
    folder: Path = portal.home / "stand-ins" / "mail"
    texts = [file.read_text() for file in sorted(folder.glob("*.eml"), key=lambda file: file.stat().st_mtime)]
    return [text for text in texts if email in text][-1]


# ── Finding ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_users_are_found_by_name_role_and_state_and_the_address_keeps_the_search(person: People, somebody: NewUser) -> None:
    driver, agent = somebody("driver"), somebody("booking_agent")
    admin = await at_users(person)
    page = admin.page
    await admin.press("/")
    await page.keyboard.type(driver.upper())
    await expect(page.locator("#userRows tr")).to_have_count(1)
    await expect(page.locator("#listCount")).to_contain_text(f"for “{driver.upper()}”")
    await page.get_by_label("Role", exact=True).first.select_option("booking_agent")
    await expect(page.locator("#listState")).to_contain_text(f"No user matches “{driver.upper()}”")
    await expect(page).to_have_url(re.compile(rf"\?q={driver.upper()}&role=booking_agent$"))
    await page.get_by_label("Search the users").fill(agent)
    await expect(row(page, agent)).to_be_visible()
    await page.get_by_label("State").select_option("deactivated")
    await expect(page.locator("#listState")).to_contain_text("No user matches")
    await page.reload()
    await expect(page.get_by_label("State")).to_have_value("deactivated")
    await expect(page.get_by_label("Search the users")).to_have_value(agent)
    await page.get_by_role("button", name="Show all users").click()
    await expect(page.get_by_label("Search the users")).to_be_focused()
    await expect(row(page, driver)).to_be_visible()
    await expect(row(page, "admin")).to_contain_text("You")
    await expect(row(page, "admin")).to_contain_text("signed in now")


async def test_a_list_that_cannot_be_read_says_so_and_is_read_again(person: People) -> None:
    admin = await person()
    await admin.page.route("**/get-all-users", lambda route: route.abort())
    await admin.come_back("admin", "admin.html")
    await expect(admin.page.locator("#listState")).to_contain_text("The server cannot be reached")
    await admin.page.unroute("**/get-all-users")
    await admin.page.locator("#listState").get_by_role("button", name="Try again").click()
    await expect(row(admin.page, "admin")).to_be_visible()


async def test_the_card_is_in_the_address_and_escape_leads_back_to_the_row(person: People, somebody: NewUser) -> None:
    name = somebody()
    admin = await at_users(person)
    card = await open_card(admin.page, name)
    await expect(card).to_be_focused()
    await expect(card).to_contain_text("Their own trips.")
    await admin.page.reload()
    await expect(card.get_by_role("heading", name=f"{name.title()} Demo")).to_be_visible()
    await admin.press("Escape")
    await expect(card).to_be_hidden()
    await expect(row(admin.page, name).get_by_role("link")).to_be_focused()
    await admin.page.go_back()
    await expect(card).to_be_visible()
    await expect(card.get_by_role("link", name="Their record of activity")).to_have_attribute(
        "href", re.compile(r"audit.html\?user=")
    )


@pytest.mark.parametrize("role", ["supervisor", "agent"])
async def test_whoever_is_no_administrator_is_offered_neither_the_page_nor_its_entry(person: People, role: str) -> None:
    one = await person()
    await one.keep_session(role)
    await one.open("admin.html")
    await expect(one.page.get_by_role("heading", name="You do not have access to this page.")).to_be_visible()
    await expect(one.page.get_by_role("link", name="Admin", exact=True)).to_be_hidden()


# ── Making and editing ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_user_is_invited_chooses_a_password_and_is_in(person: People, portal: Portal) -> None:
    name = f"u{uuid4().hex[:7]}"
    email = f"{name}@demo.test"
    admin = await at_users(person)
    page = admin.page
    await page.get_by_role("button", name="Add user").click()
    await expect(page.get_by_label("Full name")).to_be_focused()
    await fill_in(page, email.upper(), phone="(902) 555 0177")
    await page.get_by_role("button", name="Create account").click()
    await noted(page, f"Account created. An invitation goes to {email} in the background.")
    card = page.locator("#userCard")
    await expect(card).to_contain_text("902-555-0177")
    await expect(card).to_contain_text("Temporary password until")
    kept = portal.home / "stand-ins" / "mail"
    await expect(card.locator(".notice")).to_have_text(
        f"The mail to {email} was sent to nobody. It lies in {kept}, and on the terminal where Backhaul runs."
    )
    assert await page.locator(".task-toast").count() == 0

    (password,) = re.findall(r"^Password: (\S+)$", mail_to(portal, email), re.MULTILINE)
    newcomer = await person()
    await newcomer.sign_in(name, password)
    await newcomer.page.get_by_label("New password", exact=True).fill(OWN)
    await newcomer.page.get_by_label("New password again").fill(OWN)
    await newcomer.press("Enter")
    await expect(newcomer.page.locator("#greeting")).to_contain_text("Jane")
    await page.reload()
    await expect(row(page, name)).to_contain_text("Active")
    await expect(row(page, name)).to_contain_text("signed in now")


async def test_a_password_handed_over_is_suggested_and_no_mail_is_promised(person: People, portal: Portal) -> None:
    email = f"{uuid4().hex[:8]}@example.test"
    page = (await at_users(person)).page
    await page.get_by_role("button", name="Add user").click()
    await fill_in(page, email)
    await page.get_by_text("Hand over a first password yourself").click()
    await page.get_by_role("button", name="Suggest one").click()
    await expect(page.locator("#userFormNote")).to_have_text("No mail is sent: you hand the password over.")
    suggested = await page.get_by_label("Temporary password").input_value()
    assert re.fullmatch(r"[cdfhjkmnprtwxy347]{5}(-[cdfhjkmnprtwxy347]{5}){3}", suggested)
    await page.get_by_role("button", name="Create account").click()
    await noted(page, "Hand the password over")
    answer = await page.request.post(f"{portal.url}/webhook/user-login", data={"username": email, "password": suggested})
    assert (await answer.json())["must_change_password"] is True


async def test_what_the_server_refuses_is_told_at_its_field_and_everything_typed_is_kept(
    person: People, somebody: NewUser
) -> None:
    name = somebody()
    admin = await at_users(person)
    page = admin.page
    await page.get_by_role("button", name="Add user").click()
    await page.get_by_role("button", name="Create account").click()
    await expect(page.locator("#userForm .form-summary li")).to_have_text(
        ["Full name is required", "E-mail is required", "Role is required"]
    )
    await fill_in(page, f"{name}@demo.test", "Second Comer", "client", phone="12")
    await page.get_by_role("button", name="Create account").click()
    await expect(page.locator("#phone-fault")).to_contain_text("Phone must be in format")
    await page.get_by_label("Phone (optional)").fill("902-555-0177")
    await page.get_by_role("button", name="Create account").click()
    await expect(page.locator("#email-fault")).to_contain_text("Username already in use")
    await expect(page.locator("#userForm .form-summary")).to_be_focused()
    await expect(page.get_by_label("Full name")).to_have_value("Second Comer")
    await admin.press("Escape")
    await page.get_by_role("button", name="Add user").click()
    await expect(page.get_by_label("Full name")).to_have_value("Second Comer")
    await expect(page.get_by_label("Role").last).to_have_value("client")


async def test_an_edit_sends_only_what_was_changed_so_that_a_colleagues_work_stays(
    person: People, portal: Portal, somebody: NewUser
) -> None:
    name = somebody("booking_agent")
    page = (await at_users(person)).page
    card = await open_card(page, name)
    await card.get_by_role("button", name="Edit").click()
    await expect(page.locator("#email-help")).to_have_text(f"They sign in as {name}@demo.test, which stays")
    with portal.database() as database:
        database.execute("update public.users set phone = '+19025550199' where username = %s", [f"{name}@demo.test"])
    await page.locator("#userForm").get_by_label("Role").select_option("supervisor")
    await expect(page.locator("#role-help")).to_contain_text("They are signed out, and sign in anew.")
    await page.get_by_label("Full name").fill("Promoted Person")
    await page.get_by_role("button", name="Save changes").click()
    await noted(page, "Promoted Person is saved. With the new role they must sign in again.")
    await expect(card).to_contain_text("Supervisor")
    await expect(card).to_contain_text("902-555-0199")
    await expect(card).to_be_focused()


async def test_a_double_click_and_a_lost_answer_make_one_account(person: People, portal: Portal) -> None:
    email = f"{uuid4().hex[:8]}@example.test"
    page = (await at_users(person)).page
    keys = await lose_the_first_answer(page, "create-user")
    await page.get_by_role("button", name="Add user").click()
    await fill_in(page, email)
    await page.get_by_role("button", name="Create account").dblclick()
    await expect(page.locator("#userForm .form-summary")).to_contain_text("What you typed is kept")
    await page.get_by_role("button", name="Create account").click()
    await noted(page, "Account created")
    assert len(keys) == 2
    assert keys[0] == keys[1]


# ── Letting in and out ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_account_is_deactivated_after_a_question_and_undo_activates_it_again(person: People, somebody: NewUser) -> None:
    name = somebody()
    admin = await at_users(person)
    page = admin.page
    card = await open_card(page, name)
    await card.get_by_role("button", name="Deactivate").click()
    question = page.get_by_role("alertdialog")
    await expect(question).to_contain_text("can be activated again")
    await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    await admin.press("Escape")
    await expect(question).to_have_count(0)
    await expect(card.get_by_role("button", name="Deactivate")).to_be_focused()
    await card.get_by_role("button", name="Deactivate").click()
    await question.get_by_role("button", name="Deactivate").click()
    await noted(page, "account is deactivated now. It stays, with all they have done")
    await expect(row(page, name)).to_contain_text("Deactivated")
    undo = page.locator("#savedNote").get_by_role("button", name="Undo")
    await expect(undo).to_be_focused()
    await admin.press("Enter")
    await noted(page, "account is active again.")
    await expect(row(page, name)).to_contain_text("Active")
    await expect(card).to_be_focused()


async def test_somebody_locked_out_is_let_in_with_one_click(person: People, portal: Portal, somebody: NewUser) -> None:
    name = somebody()
    with portal.database() as database:
        database.execute(_LOCK, [f"{name}@demo.test"])
    page = (await at_users(person, "admin.html?state=locked")).page
    await expect(row(page, name)).to_contain_text("Locked out until")
    card = await open_card(page, name)
    await expect(card).to_contain_text("5 lately")
    await card.get_by_role("button", name="Unlock").click()
    await noted(page, "may try again at once.")
    await expect(card).to_contain_text("Active")
    await expect(card.get_by_role("button", name="Unlock")).to_have_count(0)


async def test_somebody_signed_in_is_signed_out_everywhere_and_hears_of_it(person: People, somebody: NewUser) -> None:
    name = somebody("booking_agent")
    them = await person()
    await them.sign_in(name)
    await them.go_live()
    page = (await at_users(person, "admin.html?state=signed-in")).page
    card = await open_card(page, name)
    await card.get_by_role("button", name="Sign out everywhere").click()
    question = page.get_by_role("alertdialog")
    await expect(question).to_contain_text("1 session ends at once.")
    await question.get_by_role("button", name="Sign out everywhere").click()
    await noted(page, "is signed out everywhere.")
    await expect(card).to_contain_text("Signed in nowno")
    await expect(card.get_by_role("button", name="Sign out everywhere")).to_have_count(0)
    await expect(them.page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_a_reset_that_cannot_be_mailed_says_what_to_do_and_correcting_the_address_sends_another(
    person: People, portal: Portal, somebody: NewUser, faults: Faults
) -> None:
    name = somebody("booking_agent")
    admin = await at_users(person)
    page = admin.page
    card = await open_card(page, name)
    faults("mail", "404", times=1)
    await card.get_by_role("button", name="Reset password").click()
    question = page.get_by_role("alertdialog")
    await expect(question).to_contain_text("The password they have is void at once.")
    await question.get_by_role("button", name="Reset password").click()
    await noted(page, f"A temporary one goes to {name}@demo.test in the background.")
    await expect(card).to_contain_text("does not know this e-mail address")
    await expect(card).to_contain_text("Correct the e-mail address under Users.")
    await expect(row(page, name)).to_contain_text("Invitation failed")
    await card.get_by_role("button", name="Edit").click()
    await page.locator("#userForm").get_by_label("E-mail").fill(f"{name}.new@demo.test")
    await page.get_by_role("button", name="Save changes").click()
    await noted(page, f"A new temporary password goes to {name}.new@demo.test in the background.")
    await expect(card).to_contain_text(f"The mail to {name}.new@demo.test was sent to nobody.")
    await expect(page.locator(".task-indicator-badge")).to_be_hidden()
    answer = await page.request.post(
        f"{portal.url}/webhook/user-login", data={"username": f"{name}@demo.test", "password": PASSWORD}
    )
    assert answer.status == 403


async def test_a_failed_mail_leads_from_the_panel_to_the_card(person: People, somebody: NewUser, faults: Faults) -> None:
    name = somebody("booking_agent")
    page = (await at_users(person)).page
    card = await open_card(page, name)
    faults("mail", "404", times=1)
    await card.get_by_role("button", name="Reset password").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Reset password").click()
    await expect(card).to_contain_text("does not know this e-mail address")
    await card.get_by_role("button", name="Close").click()
    await page.locator("#task-indicator").click()
    await page.locator("#task-panel").get_by_role("link", name="View User").click()
    await expect(card.get_by_role("heading", name=f"{name.title()} Demo")).to_be_visible()


async def test_one_cannot_shut_oneself_out(person: People) -> None:
    page = (await at_users(person)).page
    await row(page, "admin").get_by_role("link").click()
    card = page.locator("#userCard")
    await expect(card.get_by_role("link", name="Your password and your sessions")).to_be_visible()
    for name in ("Deactivate", "Reset password", "Sign out everywhere"):
        await expect(card.get_by_role("button", name=name)).to_have_count(0)
    await card.get_by_role("button", name="Edit").click()
    await page.locator("#userForm").get_by_label("Role").select_option("supervisor")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.locator("#userForm .form-summary")).to_contain_text("You cannot take your own rights away")
    await expect(page.locator("#userForm .form-summary")).to_contain_text("Ask another administrator.")
    await expect(page.locator("#userForm").get_by_label("Role")).to_have_value("supervisor")


# ── For everybody ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"])
async def test_the_page_has_no_fault_that_axe_finds_in_any_state(
    person: People, portal: Portal, somebody: NewUser, dark: bool, phone: bool
) -> None:
    locked, off, name = somebody(), somebody(), somebody("supervisor")
    with portal.database() as database:
        database.execute(_LOCK, [f"{locked}@demo.test"])
        database.execute("update public.users set is_active = false where username = %s", [f"{off}@demo.test"])
        database.execute("update public.users set full_name = %s where username = %s", ["Long" * 12, f"{name}@demo.test"])
    admin = await at_users(person, dark=dark, phone=phone)
    page = admin.page
    await sound(admin, "list", phone)
    await page.get_by_role("button", name="Add user").click()
    await sound(admin, "form", phone)
    await page.get_by_text("Hand over a first password yourself").click()
    await page.get_by_role("button", name="Create account").click()
    await expect(page.locator("#userForm .form-summary")).to_be_focused()
    await sound(admin, "form with faults", phone)
    await admin.press("Escape")
    for one in (name, locked, off):
        await row(page, one).get_by_role("link").click()
        await expect(page.locator("#userCard")).to_contain_text(f"{one}@demo.test")
        await sound(admin, "card", phone)
        await page.locator("#userCard").get_by_role("button", name="Close").click()
    await row(page, name).get_by_role("link").click()
    await page.get_by_role("button", name="Deactivate").click()
    await sound(admin, "question", phone)
    await page.get_by_role("alertdialog").get_by_role("button", name="Deactivate").click()
    await expect(page.locator("#savedNote").get_by_role("button", name="Undo")).to_be_focused()
    await sound(admin, "undo", phone)
    await admin.open("admin.html?q=nobody-at-all")
    await expect(page.locator("#listState")).to_contain_text("No user matches")
    await sound(admin, "nothing found", phone)


async def test_where_no_mail_server_is_set_the_page_says_where_mails_lie(person: People, portal: Portal) -> None:
    kept = {"success": True, "sends": False, "kept_in": "/srv/backhaul/mail", "stand_ins": False}
    admin = await person()
    await admin.page.route("**/get-mail-route", lambda route: route.fulfill(json=kept))
    await admin.come_back("admin", "admin.html")
    await expect(admin.page.locator("#mailRoute")).to_have_text(
        "No mail server is set: nothing is sent. "
        "Mails to users lie in /srv/backhaul/mail, and on the terminal where Backhaul runs."
    )
    await sound(admin, "no mail server", phone=False)
