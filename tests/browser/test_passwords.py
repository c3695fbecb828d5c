"""Passwords before the sign-in: one that somebody else made is replaced first, and a forgotten one by a link in a mail."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from datetime import timedelta
from email import message_from_string, policy
from secrets import token_urlsafe

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import People
from tests.browser.person import Person
from tests.browser.portal import PASSWORD, Portal
from tests.browser.test_accessibility import sound

NEW = "seven herons stood in the mist"
SENT = "If an account exists with that email, a password reset link has been sent."

_TEMPORARY = """
select private.set_password(u.id, c.password_hash, public.task_now() + interval '1 hour')
  from public.users u, private.find_credentials('agent@demo.test') c where u.username = %s
"""
_REPLACED = """
update private.credentials c set password_hash = 'another' from public.users u where u.id = c.user_id and u.username = %s
"""
_ALL_KEPT = "JSON.stringify([{...sessionStorage}, {...localStorage}, location.href, history.state])"
_FIELDS = "[...document.querySelectorAll('input')].map((one) => one.value)"

LOOKS = pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"])


# ── A password that somebody else made ──


async def test_a_password_that_somebody_else_made_is_replaced_in_place_and_signs_in(person: People, portal: Portal) -> None:
    """ASVS 5.0, 6.4.1: a temporary password opens nothing but its replacement; 6.2.6, 6.2.7: masked, shown on demand, pasted."""
    newcomer = await arrive(person, portal, "nora")
    page = newcomer.page
    assert PASSWORD not in await page.evaluate(_FIELDS)
    kept = await page.evaluate(_ALL_KEPT)
    assert PASSWORD not in kept
    assert "eyJ" not in kept  # no token, not the limited one either
    # what a password manager, or a hand with a clipboard, does
    await page.get_by_label("You sign in as").focus()
    await newcomer.press("Control+a", "Control+c")
    await page.get_by_label("New password", exact=True).focus()
    await newcomer.press("Control+v")
    await expect(page.get_by_label("New password", exact=True)).to_have_value("nora@demo.test")
    await page.get_by_label("New password", exact=True).fill("")
    await expect(page.locator("#newPassword-help")).to_contain_text("At least 8 characters")

    form = page.locator("#passwordChangeForm")
    await page.get_by_role("button", name="Set password").click()
    await expect(form.locator(".form-summary li")).to_have_text(["New password is required", "New password again is required"])
    await page.get_by_label("New password", exact=True).fill("short")
    await expect(page.locator("#newPassword-help")).to_contain_text("3 more characters needed")
    await page.get_by_label("New password", exact=True).fill("password123")
    await page.get_by_label("New password again").fill("password124")
    await newcomer.press("Enter")
    await expect(form.locator("#confirmPassword-fault")).to_have_text("New passwords do not match")
    await page.get_by_label("New password again").fill("password123")
    await newcomer.press("Enter")
    await expect(form.locator("#newPassword-fault")).to_contain_text("attackers try first")
    await expect(page.get_by_label("New password", exact=True)).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_label("New password", exact=True)).to_have_value("password123")

    await page.get_by_role("button", name="Show new password", exact=True).click()
    await expect(page.get_by_label("New password", exact=True)).to_have_attribute("type", "text")
    await page.get_by_label("New password", exact=True).fill(NEW)
    await page.get_by_label("New password again").fill(NEW)
    await newcomer.press("Enter")
    await expect(page.locator("#greeting")).to_contain_text("Nora")
    await expect(page.locator("#greeting")).to_be_focused()
    await newcomer.go_live()
    assert NEW not in await page.evaluate(_ALL_KEPT)
    assert {"backhaul-refresh"} <= {one["name"] for one in await page.context.cookies()}
    await newcomer.open("dashboard.html")
    await expect(page.locator("#userName")).to_have_text("Nora Demo")


async def test_the_second_step_is_gone_after_a_reload_or_a_change_of_mind(person: People, portal: Portal) -> None:
    newcomer = await arrive(person, portal, "nils")
    await newcomer.page.get_by_role("button", name="Back to sign-in").click()
    await expect(newcomer.page.get_by_label("Password", exact=True)).to_be_focused()
    await newcomer.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await newcomer.press("Enter")
    await expect(newcomer.page.locator("#passwordChangeSection")).to_be_visible()
    await newcomer.page.reload()
    await expect(newcomer.page.locator("#loginSection")).to_be_visible()
    await expect(newcomer.page.locator("#passwordChangeSection")).to_be_hidden()


async def test_a_step_that_took_too_long_leads_back_to_the_sign_in_and_says_why(person: People, portal: Portal) -> None:
    newcomer = await arrive(person, portal, "nell")
    with portal.database() as database:  # somebody makes another one meanwhile, so that the limited token is void
        database.execute(_REPLACED, ["nell@demo.test"])
    await newcomer.page.get_by_label("New password", exact=True).fill(NEW)
    await newcomer.page.get_by_label("New password again").fill(NEW)
    await newcomer.press("Enter")
    await expect(newcomer.page.locator("#loginError")).to_contain_text("Your sign-in is not valid any more")
    await expect(newcomer.page.locator("#passwordChangeSection")).to_be_hidden()


@LOOKS
async def test_the_second_step_has_no_fault_that_axe_finds(person: People, portal: Portal, dark: bool, phone: bool) -> None:
    newcomer = await arrive(person, portal, "nina", dark=dark, phone=phone)
    await expect(newcomer.page.locator("#newPassword-help")).to_contain_text("At least 8 characters")
    await sound(newcomer, "choose a password", phone)
    await newcomer.page.get_by_label("New password", exact=True).fill("password123")
    await newcomer.press("Enter")
    await expect(newcomer.page.locator(".form-summary")).to_be_focused()
    await sound(newcomer, "choose a password, with faults", phone)


# ── A forgotten password ──


async def test_a_forgotten_password_is_asked_for_by_address_and_the_answer_is_always_the_same(person: People) -> None:
    forgetful = await person()
    asked = await mails(forgetful)
    await forgetful.open("dashboard.html")
    await forgetful.page.get_by_label("E-mail").fill("Agent@demo.test")
    await forgetful.page.get_by_role("button", name="Forgot password?").click()
    address = forgetful.page.locator("#forgotPasswordEmail")
    await expect(address).to_be_focused()
    await expect(address).to_have_value("Agent@demo.test")
    await address.fill("nonsense")
    await forgetful.press("Enter")
    await expect(forgetful.page.locator("#forgotPasswordEmail-fault")).to_have_text("The address must look like name@example.ca")
    await address.fill(" Nobody@demo.test ")
    await forgetful.press("Enter")
    await expect(forgetful.page.locator("#forgotPasswordForm .notice")).to_have_text(SENT)
    await expect(forgetful.page.locator("#forgotPasswordForm .notice")).to_be_focused()
    assert asked == [{"username": "nobody@demo.test"}]
    await forgetful.press("Tab", "Enter")
    await expect(forgetful.page.get_by_role("button", name="Forgot password?")).to_be_focused()
    await forgetful.press("Enter")
    await expect(address).to_be_focused()
    await expect(forgetful.page.get_by_role("button", name="Send the link")).to_be_visible()


async def test_who_forgot_their_password_gets_a_mail_whose_link_leads_back_in(person: People, portal: Portal) -> None:
    portal.person("fiona", "booking_agent")
    forgetful = await person()
    await forgetful.open("dashboard.html")
    await forgetful.page.get_by_role("button", name="Forgot password?").click()
    await forgetful.page.locator("#forgotPasswordEmail").fill("fiona@demo.test")
    await forgetful.press("Enter")
    await expect(forgetful.page.locator("#forgotPasswordForm .notice")).to_have_text(SENT)
    await forgetful.open(await asyncio.to_thread(link_mailed_to, portal, "fiona@demo.test"))
    await forgetful.page.get_by_label("New password", exact=True).fill(NEW)
    await forgetful.page.get_by_label("New password again").fill(NEW)
    await forgetful.press("Enter")
    await forgetful.page.get_by_role("link", name="Go to the sign-in").click()
    await forgetful.sign_in("fiona", NEW)
    await expect(forgetful.page.locator("#greeting")).to_contain_text("Fiona")


async def test_too_many_questions_for_a_link_are_told_as_such(person: People) -> None:
    forgetful = await person()
    words = "Too many password reset attempts. Please try again in 5 minutes."
    refusal = {"success": False, "message": words, "what": words, "code": "limit.reset"}
    await forgetful.page.route("**/forgot-password", lambda route: route.fulfill(status=429, json=refusal))
    await forgetful.open("dashboard.html")
    await forgetful.page.get_by_role("button", name="Forgot password?").click()
    await forgetful.page.locator("#forgotPasswordEmail").fill("agent@demo.test")
    await forgetful.press("Enter")
    await expect(forgetful.page.locator("#forgotPasswordForm .form-problems")).to_contain_text(words)


@pytest.mark.parametrize("link", ["reset-password.html#{}", "reset-password.html#token={}"])
async def test_the_link_of_the_mail_sets_a_new_password_and_is_not_left_in_the_address(
    person: People, portal: Portal, link: str
) -> None:
    name = f"rosa{len(link)}"
    token = linked(portal, name)
    owner = await person()
    asked: list[str] = []
    owner.page.on("request", lambda one: asked.append(one.url))
    await owner.open(link.format(token))
    page = owner.page
    await expect(page.locator("#resetWhose")).to_contain_text("For Rosa")
    await expect(page).to_have_url(f"{portal.url}/reset-password.html")
    assert token not in await page.evaluate(_ALL_KEPT)
    assert [url for url in asked if token in url.partition("#")[0]] == []
    await expect(page.get_by_label("New password", exact=True)).to_be_focused()
    await page.get_by_label("New password", exact=True).fill(f"{name}{name}")
    await page.get_by_label("New password again").fill(f"{name}{name}")
    await owner.press("Enter")
    await expect(page.locator("#newPassword-fault")).to_contain_text("must not be made of your name")
    await page.get_by_label("New password", exact=True).fill(NEW)
    await page.get_by_label("New password again").fill(NEW)
    await owner.press("Enter")
    await expect(page.get_by_role("heading", name="Your password is changed")).to_be_focused()
    await page.get_by_role("link", name="Go to the sign-in").click()
    await owner.sign_in(name, NEW)
    await expect(page.locator("#greeting")).to_contain_text("Rosa")

    await owner.open(link.format(token))
    await expect(page.locator("#resetProblem")).to_contain_text("This link is not good any more")
    await expect(page.locator("#resetForm")).to_be_hidden()


async def test_without_a_link_or_a_server_the_page_says_what_to_do(person: People, portal: Portal) -> None:
    owner = await person()
    await owner.open("reset-password.html")
    await expect(owner.page.locator("#resetProblem")).to_contain_text("Open the link in the mail again")
    await owner.page.route("**/check-reset-link", lambda route: route.abort())
    token = linked(portal, "rita")
    await owner.page.evaluate("(hash) => { location.hash = hash }", token)  # a second link in the same tab
    await expect(owner.page.locator("#resetProblem")).to_contain_text("cannot be reached")
    await owner.page.unroute("**/check-reset-link")
    await owner.page.get_by_role("button", name="Try again").click()
    await expect(owner.page.locator("#resetWhose")).to_contain_text("For Rita")


@LOOKS
async def test_the_ways_to_a_new_password_have_no_fault_that_axe_finds(
    person: People, portal: Portal, dark: bool, phone: bool
) -> None:
    owner = await person(dark=dark, phone=phone)
    await mails(owner)
    await owner.open("dashboard.html")
    await owner.page.get_by_role("button", name="Forgot password?").click()
    await sound(owner, "forgot", phone)
    await owner.page.locator("#forgotPasswordEmail").fill("agent@demo.test")
    await owner.press("Enter")
    await expect(owner.page.locator("#forgotPasswordForm .notice")).to_be_visible()
    await sound(owner, "forgot, sent", phone)

    await owner.open(f"reset-password.html#{linked(portal, 'ruth')}")
    await expect(owner.page.locator("#resetForm")).to_be_visible()
    await owner.page.get_by_label("New password", exact=True).fill(NEW)
    await sound(owner, "reset", phone)
    await owner.page.get_by_label("New password again").fill(NEW)
    await owner.press("Enter")
    await expect(owner.page.locator("#resetWayOn")).to_be_visible()
    await sound(owner, "reset, done", phone)


# ── Arranging ──


async def arrive(person: People, portal: Portal, name: str, **looks: bool) -> Person:
    """Somebody whose password was just made for them, at the second step."""
    portal.person(name, "booking_agent")
    with portal.database() as database:
        database.execute(_TEMPORARY, [f"{name}@demo.test"])
    newcomer = await person(**looks)
    await newcomer.sign_in(name)
    await expect(newcomer.page.get_by_role("heading", name="Choose your own password")).to_be_focused()
    return newcomer


def linked(portal: Portal, name: str) -> str:
    """The token of a link as it is mailed to this person."""
    portal.person(name, "booking_agent")
    token = token_urlsafe(32)
    with portal.database() as database:
        database.execute(
            "select private.put_link('reset', u.id, %s, %s) from public.users u where u.username = %s",
            [hashlib.sha256(token.encode()).digest(), timedelta(hours=1), f"{name}@demo.test"],
        )
    return token


def link_mailed_to(portal: Portal, address: str) -> str:
    """Raises: RuntimeError when no mail came."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        for file in (portal.home / "stand-ins" / "mail").glob("*.eml"):
            mail = message_from_string(file.read_text(), policy=policy.default)
            if address not in str(mail["to"]):  # invoices go to others
                continue
            link = re.search(r"reset-password\.html#\S+", mail.get_content())
            if link is not None:
                return link.group()
        time.sleep(0.05)
    raise RuntimeError(f"no link was mailed to {address}")


async def mails(one: Person) -> list[object]:
    """Stands in for the endpoint that mails links. Returns what it is asked."""
    asked: list[object] = []

    async def send(route: Route) -> None:
        asked.append(route.request.post_data_json)
        await route.fulfill(json={"success": True, "message": SENT})

    await one.page.route("**/forgot-password", send)
    return asked
