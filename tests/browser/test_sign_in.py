"""Signing in and out, as everybody does it each morning and evening."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

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
    await agent.come_back("agent", "clients.html")
    number = new_number()
    await agent.fill_in(number, "Rena", "Newell")
    await outlive_token(agent)
    async with agent.page.expect_response("**/refresh-token") as renewal:
        await agent.page.get_by_role("button", name="Save client").click()
    assert (await renewal.value).ok
    await expect(agent.page.locator("#clientRows").get_by_text(number)).to_be_visible()
    assert await agent.page.evaluate("window.still") == "here"


@pytest.mark.parametrize("heard_by", ["stream", "polling"])
async def test_a_session_that_ended_says_so_and_leads_back_to_the_same_page(
    person: People, portal: Portal, heard_by: str
) -> None:
    agent = await person()
    if heard_by == "polling":
        await agent.page.route("**/events", lambda route: route.abort())
    await agent.sign_in("agent")
    await expect(agent.page.locator("#greeting")).to_be_visible()
    await agent.open("clients.html?q=roe")
    await agent.go_live(heard_by)
    with portal.database() as database:
        database.execute("select private.end_session(%s, 'by a test')", [await session_of(agent)])
    if heard_by == "polling":
        await agent.page.evaluate("() => { TaskMonitor.refresh() }")
    await expect(agent.page.locator("#loginNotice")).to_have_text("You have signed out, or were signed out: by a test.")
    await agent.page.get_by_label("E-mail").fill("agent@demo.test")
    await agent.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await agent.press("Enter")
    await expect(agent.page).to_have_url(f"{agent.portal.url}/clients.html?q=roe")


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
        assert await tab.page.evaluate("[...Object.keys(sessionStorage), ...Object.keys(localStorage)]") == []
    answer = await agent.page.request.get(
        f"{agent.portal.url}/webhook/get-failed-tasks", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status == 401
    assert second.amiss == []
    await agent.open("clients.html")
    await expect(agent.page).to_have_url(f"{agent.portal.url}/dashboard.html?next=clients.html")


async def test_no_script_ever_sees_the_refresh_token(person: People) -> None:
    """ASVS 5.0, 3.3.4: the cookie is out of every script's reach, and nothing else holds it."""
    agent = await person()
    async with agent.page.expect_response("**/user-login") as answer:
        await agent.sign_in("agent")
    assert "refresh_token" not in await (await answer.value).json()
    await agent.go_live()
    (cookie,) = [one for one in await agent.page.context.cookies() if one["name"] == "backhaul-refresh"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    kept = await agent.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])")
    assert cookie["value"] not in kept
    assert "rrts_refresh_token" not in kept


async def test_a_tab_opened_by_hand_needs_no_second_sign_in_and_a_strangers_first_visit_asks_for_none(person: People) -> None:
    agent = await person()
    renewals: list[str] = []
    agent.page.context.on("request", lambda one: renewals.append(one.url) if one.url.endswith("/refresh-token") else None)
    await agent.open("clients.html")
    await expect(agent.page.locator("#loginSection")).to_be_visible()
    assert renewals == []
    await agent.sign_in("agent")
    await agent.go_live()
    second = Person(agent.portal, await agent.page.context.new_page())
    await second.open("clients.html?q=roe")
    await second.go_live()
    await expect(second.page.locator("#userName")).to_have_text("Alex Agent")
    assert len(renewals) == 1
    assert await session_of(second) == await session_of(agent)
    third = Person(agent.portal, await agent.page.context.new_page())
    await third.open("dashboard.html")
    await expect(third.page.locator("#greeting")).to_contain_text("Alex")
    assert second.amiss + third.amiss == []


async def test_two_tabs_that_renew_at_once_ask_once(person: People) -> None:
    agent = await person()
    await agent.sign_in("agent")
    await agent.go_live()
    second = Person(agent.portal, await agent.page.context.new_page())
    await second.open("dashboard.html")
    await second.go_live()
    renewals: list[str] = []
    both_have_begun = asyncio.Event()

    async def renew(route: Route) -> None:
        renewals.append(route.request.url)
        await both_have_begun.wait()
        await route.continue_()

    await agent.page.context.route("**/refresh-token", renew)
    for one in (agent, second):
        await one.page.evaluate("void (window.renewing = refreshAccessToken())")
    await agent.until("(await navigator.locks.query()).pending.length === 1")
    both_have_begun.set()
    assert [await one.page.evaluate("window.renewing") for one in (agent, second)] == [True, True]
    assert len(renewals) == 1
    tokens = [await one.page.evaluate("JWTManager.getAccessToken()") for one in (agent, second)]
    assert tokens[0] == tokens[1]


async def test_when_somebody_else_signs_in_on_this_browser_the_other_tabs_page_is_closed_and_says_why(person: People) -> None:
    agent = await person()
    await agent.sign_in("agent")
    await agent.go_live()
    supervisor = Person(agent.portal, await agent.page.context.new_page())
    await supervisor.open("reset-password.html")
    await supervisor.page.evaluate("localStorage.clear()")  # a browser that has forgotten; with the hint this tab would resume
    await supervisor.sign_in("supervisor")
    await expect(agent.page.locator("#loginNotice")).to_have_text("Somebody else has signed in on this browser.")
    await supervisor.go_live()
    await expect(supervisor.page.locator("#userName")).to_have_text("Sam Supervisor")
    assert supervisor.amiss == []


async def test_a_tab_that_missed_it_gives_way_at_its_next_renewal_and_leaves_the_other_person_in(person: People) -> None:
    agent = await person()
    await agent.page.add_init_script("delete window.BroadcastChannel")
    await agent.sign_in("agent")
    await agent.go_live()
    supervisor = Person(agent.portal, await agent.page.context.new_page())
    await supervisor.open("reset-password.html")
    await supervisor.enter_by_cookie("supervisor")
    await outlive_token(agent)
    await agent.page.evaluate("() => { TaskMonitor.refresh() }")
    await expect(agent.page.locator("#loginNotice")).to_have_text("Somebody else has signed in on this browser.")
    answer = await agent.page.context.request.post(
        f"{agent.portal.url}/webhook/refresh-token", data={}, headers={"X-Requested-With": "XMLHttpRequest"}
    )
    assert (await answer.json())["user"]["username"] == "supervisor@demo.test"


async def test_signing_out_works_with_an_access_token_that_is_over(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.sign_in("agent")
    await agent.go_live()
    session = await session_of(agent)
    await outlive_token(agent)
    await agent.page.get_by_role("button", name="Sign out").click()
    await expect(agent.page.locator("#loginSection")).to_be_visible()
    with portal.database() as database:
        ended = database.execute("select ended_because from public.user_sessions where id = %s", [session]).fetchone()
    assert ended == ("signed out",)
    assert "backhaul-refresh" not in {one["name"] for one in await agent.page.context.cookies()}


async def test_the_password_can_be_read_while_it_is_typed(person: People) -> None:
    stranger = await person()
    await stranger.open("dashboard.html")
    password, eye = stranger.page.get_by_label("Password", exact=True), stranger.page.get_by_role("button", name="Show password")
    for kind, pressed in (("text", "true"), ("password", "false")):
        await eye.click()
        await expect(password).to_have_attribute("type", kind)
        await expect(eye).to_have_attribute("aria-pressed", pressed)


async def session_of(one: Person) -> str:
    session: str = await one.page.evaluate("sessionStorage.getItem('rrts_session_id')")
    return session


async def outlive_token(one: Person) -> None:
    """As if a quarter of an hour had passed; `window.still` shows whether the page was loaded anew since."""
    token = one.portal.expired(await one.page.evaluate("sessionStorage.getItem('rrts_access_token')"))
    await one.page.evaluate("(token) => { sessionStorage.setItem('rrts_access_token', token); window.still = 'here' }", token)
