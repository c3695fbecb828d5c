"""What the headers of our answers make a real browser do: run our scripts, and nobody else's."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import People
from tests.browser.portal import PASSWORD, Portal

# Each way of bringing in what is not ours, and what became of it.
_TRIES = """async () => {
  const [ends, broken] = [{}, []]
  addEventListener("securitypolicyviolation", (event) => broken.push(event.effectiveDirective))
  const attempt = (name, work) => { try { work(); ends[name] = "done" } catch (error) { ends[name] = error.name } }
  attempt("markup from a string", () => { document.createElement("div").innerHTML = "<img src=x onerror=ran()>" })
  attempt("a policy of one's own", () => trustedTypes.createPolicy("evil", { createHTML: (text) => text }))
  const added = (tag, attributes, text = "") =>
    new Promise((resolve) => {
      const node = Object.assign(document.createElement(tag), attributes)
      node.onload = () => resolve("loaded")
      node.onerror = () => resolve("refused")
      node.append(text)
      document.head.append(node)
      setTimeout(() => resolve(window.ran ? "ran" : "ignored"), 500)
    })
  ends["a style of another site"] = await added("link", { rel: "stylesheet", href: "https://evil.test/x.css" })
  ends["a call to another site"] = await fetch("https://evil.test/").then(() => "answered", (error) => error.name)
  while (!broken.includes("connect-src")) await new Promise((resolve) => setTimeout(resolve, 20))  // told a moment later
  return [ends, broken]
}"""

_TAKE = """(addresses) => Promise.all(addresses.map((src) => new Promise((resolve) => {
  const node = document.createElement(src.endsWith(".js") ? "script" : "img")
  node.onload = () => resolve("loaded")
  node.onerror = () => resolve("refused")
  node.src = src
  document.body.append(node)
})))"""


async def test_a_page_of_ours_takes_no_script_style_or_markup_from_anybody(portal: Portal, browser: Browser) -> None:
    """(3.2.2, 3.4.3) With a browser, because only there a policy is more than a header."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{portal.url}/dashboard.html")
    ends, broken = await page.evaluate(_TRIES)
    await context.close()
    assert ends == {
        "markup from a string": "TypeError",
        "a policy of one's own": "TypeError",
        "a style of another site": "refused",
        "a call to another site": "TypeError",
    }
    assert {"require-trusted-types-for", "trusted-types", "style-src-elem"} <= set(broken)


async def test_the_description_can_be_browsed_under_its_own_policy(person: People) -> None:
    """(3.4.3) Swagger UI is there, and `person` sees that the browser complains of nothing."""
    anybody = await person()
    await anybody.open("docs")
    await expect(anybody.page.get_by_role("heading", name="Backhaul")).to_be_visible()
    await expect(anybody.page.get_by_text("/webhook/user-login")).to_be_visible()


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.test/", "//evil.test/clients.html", "javascript:alert(1)", "clients.html/../x"]
)
async def test_after_signing_in_one_is_led_to_no_other_site(person: People, elsewhere: str) -> None:
    """(3.7.2) A link to our sign-in page cannot use it to send somebody on."""
    agent = await person()
    await agent.open(f"dashboard.html?next={quote(elsewhere, safe='')}")
    await agent.page.get_by_label("E-mail").fill("agent@demo.test")
    await agent.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await agent.page.get_by_role("button", name="Sign in").click()
    await expect(agent.page.locator("#greeting")).to_be_visible()
    assert agent.page.url == f"{agent.portal.url}/dashboard.html"


async def test_another_site_can_neither_frame_a_page_nor_load_an_answer_as_its_own(portal: Portal, browser: Browser) -> None:
    """(3.4.6, 3.5.8)"""
    here, elsewhere = portal.url, portal.url.replace("127.0.0.1", "localhost")  # two sites to a browser
    context = await browser.new_context()
    await context.route(f"{elsewhere}/evil", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page = await context.new_page()
    await page.goto(f"{elsewhere}/evil")
    ends = await page.evaluate(_TAKE, [f"{elsewhere}/favicon.svg", f"{here}/favicon.svg", f"{here}/js/core/format.js"])
    assert ends == ["loaded", "refused", "refused"]  # its own, and what is ours
    await page.evaluate("(src) => document.body.append(Object.assign(document.createElement('iframe'), { src }))", here)
    await page.wait_for_function("frames.length === 1")
    await page.frames[1].wait_for_load_state()
    assert page.frames[1].url.startswith("chrome-error:")
    await context.close()
