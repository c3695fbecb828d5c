"""Open-loop load: requests leave at their time, whether or not earlier ones have been answered, so that waiting is not hidden.

The HTTP client is as small as can be: a full one costs more than the server it measures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

Shot = Callable[[int], Awaitable[None]]


async def shoot(shot: Shot, *, rate: float, seconds: float) -> list[float]:
    """Milliseconds of each shot, counted from when it was due."""
    began = time.perf_counter()
    total = int(rate * seconds)

    async def one(number: int) -> float:
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await shot(number)
        return (time.perf_counter() - due) * 1000

    return list(await asyncio.gather(*(one(number) for number in range(total))))


class Line:
    """Kept-alive connections to one server."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: bytes, headers: str = "") -> tuple[int, bytes]:
        """Status and body. headers: each with its line's end."""
        while self._free and self._free[-1][0].at_eof():  # the server closes what was idle for half a minute
            self._free.pop()[1].close()
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection(self._host, self._port)
        first = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{first}{headers}\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        answer = await reader.readexactly(length)
        self._free.append((reader, writer))
        return int(head[9:12]), answer

    async def close(self) -> None:
        for _, writer in self._free:
            writer.close()
