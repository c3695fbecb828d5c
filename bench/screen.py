"""From the failure in the ledger to the event at the page, and, where there is a browser, to the toast on the screen."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg

from bench.house import PASSWORD, House
from bench.stats import Series

SHOTS = 60
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_CREATE = "select create_background_task('client', %s, 'Bench', 'bench_failure', %s, lane => 'nobody')"
_START = "select changed from start_background_task(%s)"
_FAIL = "select changed from fail_background_task(%s, %s, %s)"


async def measure(house: House, *, seconds: float, rate: float) -> list[Series]:
    token, user = house.sign_in("admin")
    found = [Series("failure to the event at the page", await _at_the_page(house, token, user), aim="p95 ≤ 300 ms")]
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser:
        found.append(Series("failure to the toast on the screen", await _on_the_screen(house, browser, user), aim="p95 ≤ 300 ms"))
    return found


async def _fail_one(database: psycopg.AsyncConnection[object], user: UUID) -> tuple[str, float]:
    """Fails a task of the user's; its id, and when the failure was committed."""
    row = await (await database.execute(_CREATE, (uuid4(), user))).fetchone()
    task = str(row[0]) if isinstance(row, tuple) else ""
    await database.execute(_START, (task,))
    # each of a cause of its own, because failures of one cause share a toast
    await database.execute(_FAIL, (task, f"Bench failure {task}", f"bench.{task}"))
    return task, time.time()


async def _at_the_page(house: House, token: str, user: UUID) -> list[float]:
    parts = urlsplit(house.address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET /events HTTP/1.1\r\nhost: {parts.hostname}\r\nauthorization: Bearer {token}\r\n\r\n".encode())
    seen: dict[str, float] = {}
    hello = asyncio.Event()

    async def read() -> None:
        while line := await reader.readline():
            if line.startswith(b"event: hello"):
                hello.set()
            if line.startswith(b"data: ") and b'"failed"' in line:
                seen.setdefault(json.loads(line[6:])["id"], time.time())

    reading = asyncio.create_task(read())
    await asyncio.wait_for(hello.wait(), 10)
    took = []
    async with await psycopg.AsyncConnection.connect(house.dsn, autocommit=True) as database:
        for _ in range(SHOTS):
            task, failed = await _fail_one(database, user)
            while task not in seen:
                await asyncio.sleep(0.001)
            took.append((seen[task] - failed) * 1000)
            await asyncio.sleep(0.05)
    reading.cancel()
    writer.close()
    return took


async def _on_the_screen(house: House, browser: str, user: UUID) -> list[float]:
    from playwright.async_api import async_playwright

    took = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = await chromium.new_page()
        await page.goto(f"{house.address}/dashboard.html")
        await page.fill("#username", "admin@bench.test")
        await page.fill("#password", PASSWORD)
        await page.press("#password", "Enter")
        await page.wait_for_selector("#dashboardSection:visible")
        await page.wait_for_timeout(2000)
        await page.evaluate(
            """() => { window.__toasts = {}
              new MutationObserver(() => { for (const toast of document.querySelectorAll('.task-toast')) {
                const id = (toast.textContent.match(/Bench failure ([0-9a-f-]{36})/) || [])[1]
                if (id && !window.__toasts[id]) requestAnimationFrame(() => { window.__toasts[id] ??= Date.now() }) } })
              .observe(document.body, { childList: true, subtree: true, characterData: true }) }"""
        )
        async with await psycopg.AsyncConnection.connect(house.dsn, autocommit=True) as database:
            for _ in range(SHOTS // 3):
                task, failed = await _fail_one(database, user)
                await page.wait_for_function("id => window.__toasts[id]", arg=task, timeout=10_000)
                took.append(await page.evaluate("id => window.__toasts[id]", task) - failed * 1000)
                await page.evaluate("() => document.querySelectorAll('.task-toast .icon-button').forEach(b => b.click())")
                await asyncio.sleep(0.1)
        await chromium.close()
    return took
