"""The audit log before an administrator: found, opened, kept in the address, taken away, and nobody else's to see."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from playwright.async_api import Download, Locator, Route, expect

from tests.browser.conftest import People
from tests.browser.person import Person
from tests.browser.portal import Portal
from tests.browser.test_accessibility import sound

BROKEN = {
    "success": True, "well": False, "unsealed": 0, "digest": None,
    "message": "Entry 12 of 2026-11-23 10:00:00 AST, Alex Agent (booking_agent), “Added a client”: The entry was changed.",
}  # fmt: skip
BUSY = {"success": False, "message": "The audit log is being checked right now", "todo": "Try again in a minute"}


def entries(one: Person) -> Locator:
    return one.page.locator("#auditTable [data-seq]")


async def looking_at_the_log(person: People, path: str = "audit.html", **how: Any) -> Person:
    admin: Person = await person(**how)
    await admin.keep_session("admin")
    await admin.open(path)
    await expect(entries(admin).first).to_be_visible()
    await expect(admin.page.locator("#sealLine")).to_have_attribute("data-state", "well")
    return admin


async def test_who_looked_at_a_client_is_two_clicks_from_the_clients_card_and_a_file_to_take_away(
    person: People, portal: Portal
) -> None:
    client = portal.client("Zoë", "Brûlé")
    portal.ask("supervisor", "GET", f"/webhook/get-client?id={client['client_id']}")
    admin = await person()
    await admin.come_back("admin", f"clients.html?id={client['client_id']}")
    await admin.page.locator("#clientCard").get_by_role("link", name="Record of activity").click()
    await expect(admin.page.get_by_role("heading", name="Record of activity")).to_be_visible()
    await expect(admin.page.locator("#auditSubject")).to_have_text(client["label"])
    assert client["label"] not in await admin.page.title()
    await expect(entries(admin).last).to_contain_text("Added a client")
    await expect(entries(admin).last).to_contain_text("Alex Agent")
    looks = entries(admin).filter(has_text="Looked at a client")
    await expect(looks.filter(has_text="Sam Supervisor")).to_have_count(1)
    await expect(looks.first).to_contain_text("Ada Admin")  # who came by the card just now; it reads again as the work goes on
    async with admin.page.expect_download() as coming:
        await admin.page.get_by_role("button", name="Download CSV").click()
    rows = await read(await coming.value)
    assert (rows[0]["What"], rows[-1]["What"]) == ("Looked at a record of activity", "Added a client")
    assert [row["What"] for row in rows if row["Who"] == "Sam Supervisor"] == ["Looked at a client"]
    assert {row["Record"] for row in rows} == {client["label"]}


async def read(download: Download) -> list[dict[str, str]]:
    assert re.fullmatch(r"activity-client-[0-9a-f]{8}-\d{4}-\d\d-\d\d\.csv", download.suggested_filename)
    content = (await download.path()).read_bytes()
    assert content.startswith("\ufeff".encode())
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_an_entry_opens_by_keyboard_to_all_it_says(person: People, portal: Portal) -> None:
    client = portal.client("Ada", "Opened")
    admin = await looking_at_the_log(person, f"audit.html?client={client['client_id']}")
    button = entries(admin).get_by_role("button", name="Added a client")
    await button.focus()
    await admin.press("Enter")
    await expect(button).to_have_attribute("aria-expanded", "true")
    inside = admin.page.locator(f"#{await button.get_attribute('aria-controls')}")
    for words in ("K number", client["kNumber"], "Calculate drive times:", "Sync to Quo:", "127.0.0.1", "create_client"):
        await expect(inside).to_contain_text(words)
    await expect(inside.get_by_role("link", name="Open the client")).to_have_attribute(
        "href", f"clients.html?id={client['client_id']}"
    )
    await admin.press("Space")
    await expect(inside).to_be_hidden()
    await expect(button).to_be_focused()


async def test_conditions_are_kept_in_the_address_and_typed_words_are_not(person: People, portal: Portal) -> None:
    """ASVS 5.0: 14.2.1."""
    client = portal.client("Wilhelmina", "Searchedfor")
    admin = await looking_at_the_log(person)
    await admin.page.get_by_label("What", exact=True).select_option(label="Added a client")
    await admin.page.get_by_label("Words").fill("searchedfor")
    await admin.page.get_by_label("Who").fill("alex")
    await admin.press("Enter")
    await expect(entries(admin)).to_have_count(1)
    await expect(entries(admin)).to_contain_text(client["label"])
    await expect(admin.page.locator("#listCount")).to_have_text("1 entry")
    assert admin.page.url.endswith("audit.html?action=create_client")

    await admin.page.reload()
    await expect(entries(admin)).to_have_count(1)
    await expect(admin.page.get_by_label("Words")).to_have_value("searchedfor")
    await expect(admin.page.get_by_label("What", exact=True)).to_have_value("create_client")

    await admin.page.get_by_role("button", name="Clear").click()
    await expect(entries(admin).nth(1)).to_be_visible()
    await expect(admin.page.get_by_label("Words")).to_have_value("")
    assert admin.page.url.endswith("audit.html")
    await admin.page.go_back()
    await expect(entries(admin)).to_have_count(1)
    await expect(admin.page.get_by_label("Who")).to_have_value("alex")


async def test_days_are_the_offices_and_given_the_wrong_way_round_they_are_turned(person: People, portal: Portal) -> None:
    admin = await looking_at_the_log(person)
    await admin.page.get_by_label("From").fill("2026-01-31")
    await admin.page.get_by_label("To").fill("2026-01-01")
    async with admin.page.expect_request("**/get-audit-log?*") as asked:
        await admin.page.get_by_role("button", name="Search").click()
    assert "from=2026-01-01&to=2026-01-31" in (await asked.value).url
    await expect(admin.page.get_by_text("Nothing of the kind was done")).to_be_visible()
    await admin.page.get_by_role("button", name="Show everything").click()
    await expect(entries(admin).first).to_be_visible()
    await expect(admin.page.get_by_role("heading", name="Audit log")).to_be_focused()


async def test_only_what_was_refused_says_why(person: People, portal: Portal) -> None:
    with pytest.raises(Exception, match="403"):
        portal.ask("agent", "GET", "/webhook/audit-verify")
    admin = await looking_at_the_log(person)
    await admin.page.get_by_label("Only what was refused").check()
    await admin.page.get_by_role("button", name="Search").click()
    await expect(entries(admin).first.locator(".audit-why")).to_have_text("Only administrators may read the audit log")
    await expect(admin.page.locator("#auditTable [data-seq]:not(.refused)")).to_have_count(0)


async def test_a_long_log_is_read_on_from_where_it_ended_and_the_focus_goes_along(person: People, portal: Portal) -> None:
    with portal.database() as database:
        database.execute("select private.write_audit('archive', null, null, null) from generate_series(1, 60)")
    admin = await looking_at_the_log(person, "audit.html?action=archive")
    await expect(entries(admin)).to_have_count(50)
    await expect(admin.page.locator("#listCount")).to_have_text("The newest 50 entries")
    last = int(await entries(admin).last.get_attribute("data-seq") or 0)
    await admin.page.get_by_role("button", name="Load more").click()
    await expect(entries(admin).nth(59)).to_be_visible()
    await expect(admin.page.locator(f"[data-seq='{last - 1}'] button")).to_be_focused()
    await expect(admin.page.locator(".audit-day")).to_have_count(1)


async def test_a_log_that_cannot_be_read_says_so_and_is_asked_again(person: People, portal: Portal) -> None:
    admin = await person()
    await admin.keep_session("admin")
    await admin.page.route("**/get-audit-log?*", lambda route: route.abort())
    await admin.open("audit.html")
    await expect(admin.page.locator("#listState .problem")).to_contain_text("The server cannot be reached")
    await admin.page.unroute("**/get-audit-log?*")
    await admin.page.get_by_role("button", name="Try again").click()
    await expect(entries(admin).first).to_be_visible()


async def test_a_file_that_cannot_be_fetched_says_so(person: People, portal: Portal) -> None:
    admin = await looking_at_the_log(person)
    await admin.page.route("**/get-audit-log/export*", lambda route: route.abort())
    await admin.page.get_by_role("button", name="Download CSV").click()
    await expect(admin.page.locator("#auditProblem .problem")).to_contain_text("The server cannot be reached")


async def test_the_line_says_when_the_log_is_not_as_it_was_sealed_and_when_it_could_not_be_checked(
    person: People, portal: Portal
) -> None:
    said: list[tuple[int, dict[str, Any]]] = [(409, BUSY), (200, BROKEN)]

    async def answer(route: Route) -> None:
        status, body = said.pop(0)
        await route.fulfill(status=status, json=body)

    admin = await person()
    await admin.keep_session("admin")
    await admin.page.route("**/audit-verify", answer)
    await admin.open("audit.html")
    line = admin.page.locator("#sealLine")
    await expect(line).to_contain_text("The audit log is being checked right now. Try again in a minute")
    await line.get_by_role("button", name="Check again").click()
    await expect(line).to_have_attribute("data-state", "broken")
    await expect(line).to_contain_text("The audit log is not as it was sealed")
    await expect(line).to_contain_text("The entry was changed.")
    await expect(line).to_be_focused()


async def test_the_digest_to_keep_is_the_chains_last(person: People, portal: Portal) -> None:
    admin = await looking_at_the_log(person)
    await admin.page.get_by_text("Digest to keep").click()
    shown = await admin.page.locator("#sealLine code").inner_text()
    with portal.database() as database:
        found = database.execute("select from private.audit_seals where digest = %s", [bytes.fromhex(shown)]).fetchone()
    assert found is not None


@pytest.mark.parametrize("name", ["supervisor", "agent"])
async def test_nobody_else_is_offered_the_log_or_shown_it(person: People, portal: Portal, name: str) -> None:
    client = portal.client("Ida", "Private")
    one = await person()
    await one.come_back(name, f"clients.html?id={client['client_id']}")
    await expect(one.page.locator("#clientCard .record")).to_be_visible()
    await expect(one.page.get_by_role("link", name="Record of activity")).to_have_count(0)
    await expect(one.page.get_by_role("link", name="Audit log")).to_be_hidden()
    await one.open("audit.html")
    await expect(one.page.get_by_role("heading", name="You do not have access to this page.")).to_be_visible()


async def test_whoever_signs_in_for_it_gets_to_the_record_that_was_asked_for(person: People, portal: Portal) -> None:
    client = portal.client("Nora", "Next")
    admin = await person()
    await admin.open(f"audit.html?client={client['client_id']}")
    await admin.page.get_by_label("E-mail").fill("admin@demo.test")
    await admin.page.get_by_label("Password", exact=True).fill("what the demo people use 1")
    await admin.page.get_by_role("button", name="Sign in").click()
    await expect(admin.page.locator("#auditSubject")).to_have_text(client["label"])


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"])
async def test_no_state_of_the_page_has_a_fault_that_axe_finds_or_is_too_wide(
    person: People, portal: Portal, dark: bool, phone: bool
) -> None:
    client = portal.client("Ada", "L" + "o" * 60 + "ng")
    with pytest.raises(Exception, match="403"):
        portal.ask("agent", "GET", "/webhook/get-audit-log")
    admin = await looking_at_the_log(person, dark=dark, phone=phone)
    await sound(admin, "log", phone)
    await entries(admin).get_by_role("button", name="Was refused").first.click()
    await entries(admin).get_by_role("button", name="Added a client").first.click()
    await admin.page.get_by_text("Digest to keep").click()
    await sound(admin, "opened", phone)
    await admin.open(f"audit.html?client={client['client_id']}")
    await expect(entries(admin).first).to_be_visible()
    await sound(admin, "record", phone)
    await admin.page.route("**/audit-verify", lambda route: route.fulfill(json=BROKEN))
    await admin.open("audit.html?action=never_done")
    await expect(admin.page.get_by_text("Nothing of the kind was done")).to_be_visible()
    await expect(admin.page.locator("#sealLine")).to_have_attribute("data-state", "broken")
    await sound(admin, "nothing, and broken", phone)
    await admin.page.route("**/get-audit-log?*", lambda route: route.abort())
    await admin.open("audit.html")
    await expect(admin.page.locator("#listState .problem")).to_be_visible()
    await sound(admin, "not read", phone)
