"""Signing in while somebody tries fifty wrong passwords a second, and what everybody else notices of it.

We come from this machine, whose word for whom it asks is taken, so that each request can be another visitor's.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from itertools import count
from urllib.request import Request, urlopen
from uuid import uuid4

from bench.answer import form
from bench.house import PASSWORD, House
from bench.load import Line, shoot
from bench.stats import Series, ratio

BAD, GOOD, SAVES = 50, 5, 20  # a second
SLICES = 2
PAIRS = 60

_SIGN_IN = "/webhook/user-login"
_turns, _numbers = count(1), count(1)
_HERE = "203.0.113.{turn}"  # where the good ones sit; elsewhere in each slice, so that none begins with what another has used up
# From where the bad ones come, by the slice and their number; None: there are none
_SCENES = {
    "no flood": None,
    "a flood from one other address": "198.51.100.{turn}",
    "a flood from the same address": _HERE,
    "a flood from everywhere": "198.18.{far}.{near}",
}


async def measure(house: House, *, seconds: float, rate: float) -> list[Series]:
    line = Line(house.address)
    scenes = _Scenes(house, line)
    for _ in range(SLICES):
        for scene in _SCENES:
            await scenes.play(scene, seconds / SLICES)
    refused = await _refusals(house, line)
    await line.close()
    return scenes.told() + refused


class _Scenes:
    """Good sign-ins, half of them from a browser known before, and saves; with bad sign-ins beside them."""

    def __init__(self, house: House, line: Line) -> None:
        self._line = line
        self._good = house.people("good", 10)
        self._browsers = {name: _known_browser(house, name) for name in self._good}
        self._guessed = house.people("guessed", 20)
        self._token, _ = house.sign_in()
        self._took: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._ends: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)

    async def play(self, scene: str, seconds: float) -> None:
        elsewhere, turn = _SCENES[scene], next(_turns)
        statuses: dict[int, int] = {}

        async def good(number: int) -> None:
            name = self._good[number // 2 % len(self._good)]
            cookie = f"cookie: {self._browsers[name]}\r\n" if number % 2 else ""
            statuses[number] = await self._sign_in(name, PASSWORD, _HERE.format(turn=turn), cookie)

        async def bad(number: int) -> None:
            name = self._guessed[number // 2 % 20] if number % 2 else f"{uuid4()}@bench.test"
            far, near = divmod(next(_numbers), 250)
            visitor = (elsewhere or "").format(turn=turn, far=far, near=near)
            self._ends[scene, "bad"][await self._sign_in(name, "wrong", visitor)] += 1

        async def save(_: int) -> None:
            headers = f"authorization: Bearer {self._token}\r\nidempotency-key: {uuid4()}\r\n"
            status, body = await self._line.post("/webhook/add-client", form(), headers)
            if status != 200:
                raise RuntimeError(f"add-client answered {status}: {body.decode()[:200]}")

        took, saved, _ = await asyncio.gather(
            shoot(good, rate=GOOD, seconds=seconds),
            shoot(save, rate=SAVES, seconds=seconds),
            shoot(bad, rate=BAD if elsewhere else 0, seconds=seconds),
        )
        for number, ms in enumerate(took):
            browser = "a known browser" if number % 2 else "a new browser"
            self._ends[scene, browser][statuses[number]] += 1
            if statuses[number] == 200:
                self._took[scene, browser].append(ms)
        self._took[scene, "save"] += saved

    def told(self) -> list[Series]:
        found = []
        for scene in _SCENES:
            for browser in ("a known browser", "a new browser"):
                away = {status: n for status, n in self._ends[scene, browser].items() if status != 200}
                found.append(
                    Series(
                        f"sign-in, {browser}, {scene}",
                        self._took[scene, browser],
                        against=f"{_listed(away)} sent away" if away else "",
                        aim="p95 ≤ 1,000 ms",
                    )
                )
            bad = self._ends[scene, "bad"]
            found.append(Series(f"add-client, {scene}", self._took[scene, "save"], against=f"bad: {_listed(bad)}" if bad else ""))
        return found

    async def _sign_in(self, name: str, password: str, visitor: str, cookie: str = "") -> int:
        body = json.dumps({"username": name, "password": password}).encode()
        status, _ = await self._line.post(_SIGN_IN, body, f"x-forwarded-for: {visitor}\r\n{cookie}")
        return status


async def _refusals(house: House, line: Line) -> list[Series]:
    """A name that nobody has, a name that somebody has, turn and turn about; from new addresses, and before a name locks."""
    known = house.people("asked", PAIRS // 4 + 1)
    took: dict[str, list[float]] = {"unknown": [], "known": []}
    for number in range(PAIRS):
        for kind, name in (("unknown", f"{uuid4()}@bench.test"), ("known", known[number // 4])):
            body = json.dumps({"username": name, "password": "wrong"}).encode()
            began = time.perf_counter()
            status, _ = await line.post(_SIGN_IN, body, f"x-forwarded-for: 192.0.2.{number}\r\n")
            took[kind].append((time.perf_counter() - began) * 1000)
            if status != 403:
                raise RuntimeError(f"a wrong password was answered {status}")
    against = f"{ratio(took['unknown'], took['known'], 0.5)} p50 of a wrong password"
    return [
        Series("refusing a wrong password", took["known"]),
        Series("refusing a name that nobody has", took["unknown"], against=against, aim="1.0×"),
    ]


def _known_browser(house: House, name: str) -> str:
    """The cookie of a browser in which that person has signed in before."""
    body = json.dumps({"username": name, "password": PASSWORD}).encode()
    asked = Request(f"{house.address}{_SIGN_IN}", data=body, headers={"content-type": "application/json"})  # noqa: S310  (our own address)
    with urlopen(asked) as answer:  # noqa: S310  (the same)
        return next(one.partition(";")[0] for one in answer.headers.get_all("set-cookie") if "device" in one)


def _listed(statuses: dict[int, int]) -> str:
    return ", ".join(f"{n} × {status}" for status, n in sorted(statuses.items()))
