"""Somebody before a real browser, and what they do again and again."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.async_api import ConsoleMessage, Dialog, Error, Page, Request, Response, Route, expect

from tests.browser.portal import PASSWORD, Portal, new_number

AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"

_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_FINDINGS = """
axe.run(document, {runOnly: %s}).then((result) => JSON.stringify(result.violations.map((one) =>
  `${one.id}: ${one.help}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 5).join(", ")}`)))
"""
# What signing in leaves in a tab, where nothing is yet.
_KEEP_SESSION = """
if (!sessionStorage.getItem("rrts_user")) {
  for (const [key, value] of Object.entries(%s)) sessionStorage.setItem(key, value)
  sessionStorage.setItem("rrts_token_expiry", String(Date.now() + 900_000))
}
"""


@dataclass
class Person:
    """Somebody before a browser.

    `amiss` collects what no page of ours may do: write to the console, break, run into the security policy, open a dialog.
    """

    portal: Portal
    page: Page
    amiss: list[str] = field(default_factory=list)
    _asked_for: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    _checking: bool = False

    def __post_init__(self) -> None:
        self.page.on("response", self._answered)
        self.page.on("requestfailed", self._unanswered)
        self.page.on("console", self._heard)
        self.page.on("pageerror", self._broke)
        self.page.on("dialog", self._asked)

    async def open(self, path: str) -> None:
        """Until this page is there whole, or the one that it sends people to, perhaps before it is whole itself."""
        await self.page.goto(f"{self.portal.url}/{path}", wait_until="commit")
        await self.page.wait_for_load_state()

    async def until(self, true: str) -> None:
        """Until this is true in the page. Not wait_for_function, which the content security policy forbids."""
        async with asyncio.timeout(15):
            await self.page.evaluate(f"(async () => {{ while (!({true})) await new Promise((done) => setTimeout(done, 20)) }})()")

    async def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """name: "admin", "supervisor", "agent" or "agent2"."""
        await self.open("dashboard.html")
        await self.page.get_by_label("E-mail").fill(f"{name}@demo.test")
        await self.page.get_by_label("Password", exact=True).fill(password)
        await self.page.get_by_role("button", name="Sign in").click()

    async def come_back(self, name: str, path: str = "dashboard.html") -> None:
        """Opens a page in a tab where this person has signed in before, and waits until changes are heard at once."""
        await self.keep_session(name)
        await self.open(path)
        await self.go_live()

    async def keep_session(self, name: str) -> dict[str, Any]:
        """A session of their own, as signing in leaves it: the cookie in the browser, the rest in the tab."""
        said = await self.enter_by_cookie(name)
        user = {"id": said["userId"], "role": said["userRole"], **{key: said[key] for key in ("username", "fullName", "email")}}
        kept = {
            "rrts_user": json.dumps(user),
            "rrts_access_token": said["access_token"],
            "rrts_session_id": said["session_id"],
        }
        await self.page.add_init_script(_KEEP_SESSION % json.dumps(kept))
        return said

    async def enter_by_cookie(self, name: str) -> dict[str, Any]:
        """Signs in without a page: the browser has the cookie afterwards, and no tab knows anything."""
        credentials = {"username": f"{name}@demo.test", "password": PASSWORD, "use_cookie": True}
        answer = await self.page.context.request.post(f"{self.portal.url}/webhook/user-login", data=credentials)
        assert answer.ok, await answer.text()
        said: dict[str, Any] = await answer.json()
        return said

    async def go_live(self, state: str = "stream") -> None:
        """Until changes are heard at once."""
        await expect(self.page.locator("#liveState")).to_have_attribute("data-state", state)

    async def fill_in(self, number: str = "", first: str = "Jane", last: str = "Roe", **fields: str) -> None:
        """Opens the form and fills it in; `fields` by label, in the place of what is typed otherwise."""
        typed = {
            "K Number": number or new_number(), "First name": first, "Last name": last, "Phone": "902-555-0123",
            "E-mail": "jane@example.test", "Civic address": "25 Water Street", "City or town": "Digby", "Postal code": "B0V 1A0",
        }  # fmt: skip
        await self.page.get_by_role("button", name="Add client").click()
        for label, value in (typed | fields).items():
            await self.page.get_by_label(label, exact=True).fill(value)

    async def add_client(self, number: str = "", first: str = "Jane", last: str = "Roe", **fields: str) -> None:
        """Fills the form in and saves."""
        await self.fill_in(number, first, last, **fields)
        await self.page.get_by_role("button", name="Save client").click()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def inaccessible(self) -> list[str]:
        """What axe finds wrong with the page as it stands. Animations are waited for: half-faded text has too little contrast."""
        await self.page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => 0)).slice(0, 20))")
        line = await self.page.context.new_cdp_session(self.page)
        self._checking = True  # axe writes styles of its own, which the policy rightly blocks
        try:
            if not await self.page.evaluate("Boolean(window.axe)"):
                await line.send("Runtime.evaluate", {"expression": AXE.read_text()})
            question = {"expression": _FINDINGS % json.dumps(_RULES), "awaitPromise": True, "returnByValue": True}
            answer: dict[str, Any] = await line.send("Runtime.evaluate", question)
        finally:
            self._checking = False
            await line.detach()
        found: list[str] = json.loads(answer["result"]["value"])
        return found

    async def account(self) -> str:
        """What is before this person and what the page has asked for: for whoever reads why a test failed."""
        try:
            focus = await self.page.evaluate("document.activeElement?.outerHTML.slice(0, 300)")
            seen = await self.page.locator("body").inner_text(timeout=2_000)
        except Error as error:
            focus, seen = "nobody knows", str(error)
        return "\n".join([self.page.url, f"focus: {focus}", *self._asked_for, seen])

    def _answered(self, response: Response) -> None:
        self._note(response.request, str(response.status))

    def _unanswered(self, request: Request) -> None:
        self._note(request, request.failure or "no answer")

    def _note(self, request: Request, outcome: str) -> None:
        if request.resource_type in ("fetch", "document"):
            path = request.url.removeprefix(self.portal.url)
            self._asked_for.append(f"{datetime.now(UTC):%H:%M:%S.%f} {request.method} {path} {outcome}")

    def _heard(self, message: ConsoleMessage) -> None:
        refused = message.text.startswith("Failed to load resource")  # the browser's own note on a 4xx
        if not refused and not self._checking:
            self.amiss.append(f"{message.type}: {message.text}")

    def _broke(self, error: Error) -> None:
        self.amiss.append(f"error: {error}")

    async def _asked(self, dialog: Dialog) -> None:
        self.amiss.append(f"dialog: {dialog.message}")
        await dialog.dismiss()


async def lose_the_first_answer(page: Page, verb: str) -> list[str]:
    """The server does what it is asked the first time, but its answer is lost. Returns the idempotency keys, as they are sent."""
    keys: list[str] = []

    async def pass_on(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            await route.continue_()
            return
        await route.fetch()
        await route.abort()

    await page.route(f"**/{verb}", pass_on)
    return keys
