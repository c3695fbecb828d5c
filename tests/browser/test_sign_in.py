"""Signing in and out, as everybody does it each morning and evening."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import People
from tests.browser.person import Person
from tests.browser.portal import PASSWORD, Portal, new_number


async def test_a_wrong_password_is_told_in_place_and_the_page_asked_for_is_opened_after_the_right_one(person: People) -> None:
    agent = await person()
    await agent.open("clients.html?q=roe")
    await agent.page.get_by_label("E-mail").fill("agent@demo.test")
    await agent.page.get_by_label("Password", exact=True).fill("wrong first")
    await agent.press("Enter")
    await expect(agent.page.locator("#loginError")).to_contain_text("Invalid username or password")
    await expect(agent.page.get_by_label("E-mail")).to_have_value("agent@demo.test")
    await expect(agent.page.get_by_label("Password", exact=True)).to_be_focused()
    await agent.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await agent.press("Enter")
    await expect(agent.page).to_have_url(f"{agent.portal.url}/clients.html?q=roe")
    await expect(agent.page.get_by_label("Search the clients")).to_have_value("roe")


async def test_an_empty_password_is_asked_for_without_asking_the_server(person: People) -> None:
    stranger = await person()
    asked: list[str] = []
    stranger.page.on("request", lambda request: asked.append(request.url))
    await stranger.open("dashboard.html")
    await stranger.page.get_by_label("E-mail").fill("agent@demo.test")
    await stranger.press("Enter")
    await expect(stranger.page.locator("#loginError")).to_contain_text("Please enter both username and password")
    await expect(stranger.page.get_by_label("Password", exact=True)).to_be_focused()
    assert not [url for url in asked if url.endswith("/user-login")]


async def test_a_person_of_the_demonstration_is_chosen_by_a_click(person: People) -> None:
    visitor = await person()
    await visitor.open("dashboard.html")
    await visitor.page.get_by_role("button", name="agent2@demo.test").click()
    await visitor.page.keyboard.type(PASSWORD)
    await visitor.press("Enter")
    await expect(visitor.page.locator("#userName")).to_have_text("Bo Agent")
    await visitor.go_live()


async def test_a_booking_agent_sees_their_own_failures_and_no_summary_of_everybodys(person: People) -> None:
    agent = await person()
    await agent.sign_in("agent")
    await agent.go_live()
    await expect(agent.page.get_by_role("heading", name="Your failed tasks")).to_be_visible()
    await expect(agent.page.get_by_role("link", name="Clients", exact=True)).to_be_visible()
    await expect(agent.page.locator("#userRoleBadge")).to_have_text("Booking agent")
    await expect(agent.page.locator("#failed-tasks-widget")).to_have_count(0)
    await expect(agent.page.locator("#faultsCard")).to_be_hidden()


async def test_an_administrator_sees_everybodys_summary_and_the_faults_on_demand(person: People) -> None:
    admin = await person()
    await admin.sign_in("admin")
    await expect(admin.page.locator("#failedTasksLabel")).to_have_text("All tasks completed")
    await expect(admin.page.get_by_role("heading", name="Faults on demand")).to_be_visible()
    await admin.page.get_by_label("Service").select_option("quo")
    await admin.page.get_by_label("Fault", exact=True).select_option("429")
    await admin.page.get_by_label("Times").fill("3")
    await admin.page.get_by_role("button", name="Set").click()
    await expect(admin.page.locator(".faults")).to_contain_text("quo 429 3 more")
    await admin.page.get_by_role("button", name="Clear the fault of quo").click()
    await expect(admin.page.locator("#faultsCard")).to_contain_text("No fault is set")


async def test_a_driver_is_told_that_the_clients_page_is_not_theirs(person: People, portal: Portal) -> None:
    portal.person("dora", "driver")
    driver = await person()
    await driver.come_back("dora", "clients.html")
    await expect(driver.page.get_by_role("heading", name="You do not have access to this page.")).to_be_visible()
    await expect(driver.page.get_by_role("link", name="Clients")).to_have_count(0)
    await driver.page.get_by_role("link", name="Go to the dashboard").click()
    await expect(driver.page.locator("#ownFailures")).to_contain_text("No failed tasks")
    await expect(driver.page.locator("#clientsTile")).to_be_hidden()


async def test_an_expired_token_is_renewed_without_losing_the_page_or_what_was_typed(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.open("dashboard.html")
    await agent.sign_in("agent")  # a session of its own: renewing ends the refresh token it had
    await agent.go_live()
    await agent.open("clients.html")
    await agent.go_live()
    number = new_number()
    await agent.fill_in(number, "Rena", "Newell")
    await agent.page.evaluate(
        "(token) => { sessionStorage.setItem('rrts_access_token', token); window.still = 'here' }", portal.expired_token("agent")
    )
    async with agent.page.expect_response("**/refresh-token") as renewal:
        await agent.page.get_by_role("button", name="Save client").click()
    assert (await renewal.value).ok
    await expect(agent.page.locator("#clientRows").get_by_text(number)).to_be_visible()
    assert await agent.page.evaluate("window.still") == "here"


async def test_a_session_that_ended_says_so_and_leads_back_to_the_same_page(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.sign_in("agent")
    await agent.go_live()
    await agent.open("clients.html?q=roe")
    await agent.go_live()
    await agent.page.evaluate(
        "(token) => { sessionStorage.setItem('rrts_access_token', token); sessionStorage.setItem('rrts_refresh_token', 'gone') }",
        portal.expired_token("agent"),
    )
    await agent.page.get_by_label("Search the clients").fill("roes")
    await expect(agent.page.locator("#loginNotice")).not_to_be_empty()
    await agent.page.get_by_label("E-mail").fill("agent@demo.test")
    await agent.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await agent.press("Enter")
    await expect(agent.page).to_have_url(f"{agent.portal.url}/clients.html?q=roes")


async def test_signing_out_ends_the_session_in_both_tabs_and_leaves_nothing_behind(person: People) -> None:
    agent = await person()
    await agent.sign_in("agent")
    await agent.go_live()
    async with agent.page.expect_popup() as opened:
        await agent.page.evaluate("() => { window.open('clients.html') }")
    second = Person(agent.portal, await opened.value)
    await second.go_live()
    token = await agent.page.evaluate("sessionStorage.getItem('rrts_access_token')")
    await agent.page.get_by_role("button", name="Sign out").click()
    await expect(agent.page.locator("#loginSection")).to_be_visible()
    await expect(second.page.locator("#loginNotice")).to_contain_text("signed out")
    for tab in (agent, second):
        assert await tab.page.evaluate("Object.keys(sessionStorage)") == []
    answer = await agent.page.request.get(
        f"{agent.portal.url}/webhook/get-failed-tasks", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status == 401
    assert second.amiss == []
    await agent.open("clients.html")
    await expect(agent.page).to_have_url(f"{agent.portal.url}/dashboard.html?next=clients.html")


async def test_the_password_can_be_read_while_it_is_typed(person: People) -> None:
    stranger = await person()
    await stranger.open("dashboard.html")
    password, eye = stranger.page.get_by_label("Password", exact=True), stranger.page.get_by_role("button", name="Show password")
    for kind, pressed in (("text", "true"), ("password", "false")):
        await eye.click()
        await expect(password).to_have_attribute("type", kind)
        await expect(eye).to_have_attribute("aria-pressed", pressed)
