"""A portal for the whole run, a browser, and people before it who are checked afterwards for what no page may do."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.person import Person
from tests.browser.portal import Portal

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

_FAILED = pytest.StashKey[bool]()

People = Callable[..., Awaitable[Person]]
Faults = Callable[..., None]

expect.set_options(timeout=15_000)  # a shared machine may be slow; what is expected still ends the wait at once


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    portal = Portal(tmp_path_factory.mktemp("portal"))
    try:
        portal.wait_until_ready()
        with portal.database() as database:  # the demo's trips would be reminded of amid a test that makes Quo fail
            database.execute("update public.office_settings set value = 'false' where key = 'reminders_on'")
        yield portal
    finally:
        portal.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = report.failed
    return report


@asynccontextmanager
async def launch() -> AsyncIterator[Browser]:
    """The system's Chromium where there is one, else Playwright's own."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with launch() as browser:
        yield browser


@pytest.fixture
async def person(portal: Portal, browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[People]:
    """Opens a browser for one more person: `await person(dark=True, phone=True)`.

    It stands far from Halifax, so that a time shown in the browser's zone would be seen. `at`: another portal than the run's own.
    """
    people: list[Person] = []
    portal.tidy()

    async def enter(*, dark: bool = False, phone: bool = False, at: Portal = portal) -> Person:
        context = await browser.new_context(
            viewport={"width": 390, "height": 844} if phone else {"width": 1360, "height": 860},
            color_scheme="dark" if dark else "light",
            timezone_id="Asia/Tokyo",
            reduced_motion="reduce",
            has_touch=phone,
        )
        people.append(Person(at, await context.new_page()))
        return people[-1]

    yield enter
    if request.node.stash.get(_FAILED, False):
        for one in people:
            print(await one.account())  # noqa: T201  (shown with the failure)
    for one in people:
        await one.page.context.close()
    assert [note for one in people for note in one.amiss] == []


@pytest.fixture
def faults(portal: Portal) -> Iterator[Faults]:
    """`faults("quo", "401", times=1)`; all ended afterwards."""
    ordered: list[str] = []

    def order(service: str, fault: str, times: int | None = None) -> None:
        ordered.append(service)
        portal.fault(service, fault, times)

    yield order
    for service in ordered:
        portal.fault(service, "ok")
