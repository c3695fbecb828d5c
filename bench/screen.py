"""From the failure in the ledger to the event at the page, and, where there is a browser, to the toast on the screen.

In turn with the toast: from somebody's move of a trip to another person's operations board.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg

from bench.house import PASSWORD, House
from bench.stats import Series, ratio

if TYPE_CHECKING:
    from playwright.async_api import Page

SHOTS = 60
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
QUIET_S = 0.7  # a board that has just been read waits a little before it is read again: bursts are not what is measured here
_DAY = "2031-01-07"
_DRIVERS = """insert into drivers (first_name, last_name, email)
values ('One', 'Bench', 'one@bench.test'), ('Other', 'Bench', 'other@bench.test') returning id"""
_TRIP = """insert into appointments (appointment_type, event_name, appointmenttime, driver_assigned)
values ('support', 'Bench', %s::date + time '15:00', %s) returning id"""
_MOVE = "update appointments set driver_assigned = %s where id = %s"
# When the trip is first painted in that driver's row.
_SHOWN = """([trip, driver]) => new Promise((shown) => {
  const look = () => document.querySelector(`.lane[data-driver-id="${driver}"] [data-trip-id="${trip}"]`)
    ? requestAnimationFrame(() => shown(Date.now())) : requestAnimationFrame(look)
  look()
})"""
_CREATE = "select create_background_task('client', %s, 'Bench', 'bench_failure', %s, lane => 'nobody')"
_START = "select changed from start_background_task(%s)"
_FAIL = "select changed from fail_background_task(%s, %s, %s)"


async def measure(house: House, *, seconds: float, rate: float) -> list[Series]:
    token, user = house.sign_in("admin")
    found = [Series("failure to the event at the page", await _at_the_page(house, token, user), aim="p95 ≤ 300 ms")]
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser:
        toasts, moves = await _on_the_screen(house, browser, user)
        against = f"{ratio(moves, toasts, 0.5)} and {ratio(moves, toasts, 0.95)} the toast"
        found.append(Series("failure to the toast on the screen", toasts, aim="p95 ≤ 300 ms"))
        found.append(Series("a trip moved to another's board on the screen", moves, against=against, aim="p95 ≤ 1 s"))
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


async def _on_the_screen(house: House, browser: str, user: UUID) -> tuple[list[float], list[float]]:
    """To the toast, and to the board: in turn."""
    from playwright.async_api import async_playwright

    took: list[float] = []
    moves: list[float] = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        context = await chromium.new_context()
        page = await context.new_page()
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
        board = await context.new_page()
        async with await psycopg.AsyncConnection.connect(house.dsn, autocommit=True) as database:
            drivers = [str(row[0]) for row in await (await database.execute(_DRIVERS)).fetchall()]
            row = await (await database.execute(_TRIP, (_DAY, drivers[0]))).fetchone()
            trip = str(row[0]) if row else ""
            await board.goto(f"{house.address}/operations.html?day={_DAY}")
            await board.wait_for_selector("#liveState[data-state=stream]", state="attached")
            await board.evaluate(_SHOWN, [trip, drivers[0]])
            for shot in range(SHOTS // 3):
                task, failed = await _fail_one(database, user)
                await page.wait_for_function("id => window.__toasts[id]", arg=task, timeout=10_000)
                took.append(await page.evaluate("id => window.__toasts[id]", task) - failed * 1000)
                await page.evaluate("() => document.querySelectorAll('.task-toast .icon-button').forEach(b => b.click())")
                await asyncio.sleep(QUIET_S)
                moves.append(await _move(database, board, trip, drivers[(shot + 1) % 2]))
        await chromium.close()
    return took, moves


async def _move(database: psycopg.AsyncConnection[object], board: Page, trip: str, driver: str) -> float:
    """Gives the trip to that driver, as somebody else would; milliseconds from the commit until the board shows it."""
    watching = asyncio.create_task(board.evaluate(_SHOWN, [trip, driver]))
    await asyncio.sleep(0.05)
    await database.execute(_MOVE, (driver, trip))
    moved = time.time()
    shown: float = await watching
    return shown - moved * 1000
