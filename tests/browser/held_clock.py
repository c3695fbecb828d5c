"""Time on a device that sleeps, or whose clock is off: it jumps when a test says so, and timers are late."""

from __future__ import annotations

import asyncio

from playwright.async_api import BrowserContext, Error, Page

_CLOCK = """
{
  const [wall, mono] = [Date.now, performance.now.bind(performance)]
  let [ahead, off] = [0, 0]
  Date.now = () => wall() + ahead + off
  performance.now = () => mono() + ahead
  window.heldClock = { set: (moved, wrong) => { [ahead, off] = [moved, wrong] } }
}
"""


class HeldClock:
    """The clock of all pages of one browser. To be held before the first of them is opened."""

    def __init__(self, context: BrowserContext, *, off_min: float = 0) -> None:
        """off_min: how wrong the wall clock is."""
        self._context = context
        self._ahead_min = 0.0
        self._off_min = off_min

    async def hold(self) -> None:
        await self._context.add_init_script(_CLOCK)
        await self._context.add_init_script(self._set())

    async def forward(self, minutes: float) -> None:
        """So much later all pages are looked at again."""
        self._ahead_min += minutes
        await self._move()

    async def put(self, off_min: float) -> None:
        """Somebody sets the wall clock."""
        self._off_min = off_min
        await self._move()

    async def _move(self) -> None:
        await self._context.add_init_script(self._set())
        await asyncio.gather(*(self._look_again(page) for page in self._context.pages))

    async def _look_again(self, page: Page) -> None:
        try:
            await page.evaluate(f"() => {{ {self._set()}; window.dispatchEvent(new Event('focus')) }}")
        except Error as error:
            if "context was destroyed" not in error.message:  # on its way to another page, which knows what time it is
                raise

    def _set(self) -> str:
        return f"heldClock.set({self._ahead_min * 60_000}, {self._off_min * 60_000})"
