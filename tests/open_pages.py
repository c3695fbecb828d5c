"""Open pages as tests have them: the event stream of the application behind a real server, heard event by event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn

from tests.api_fixtures import Api, until

SOON_S = 10.0


class Page:
    """One open page: what it has heard, event by event. Keep-alives are events named ":"."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def hear(self) -> tuple[str, Any]:
        """The next event and its data."""
        name, data = "", None
        async with asyncio.timeout(SOON_S):
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                elif line.startswith(":"):
                    name = ":"
                elif not line and name:
                    return name, data
        return "end", None

    async def hear_task(self) -> Any:
        """The data of the next task event; keep-alives are passed over, anything else fails."""
        while (heard := await self.hear())[0] == ":":
            pass
        assert heard[0] == "task", heard
        return heard[1]

    async def hear_of(self, task: UUID | str, status: str) -> Any:
        """Until that task has that status; states in between may have travelled together."""
        while True:
            data = await self.hear_task()
            assert data["id"] == str(task), "a task of somebody else's"
            if data["status"] == status:
                return data


@pytest.fixture
async def address(api: Api) -> AsyncIterator[str]:
    """The application behind a real server, because a stream is answered piece by piece."""
    server = uvicorn.Server(uvicorn.Config(api.app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started and api.app.state.stream.listening)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    api.app.state.stream.hang_up()
    server.should_exit = True
    await serving


@asynccontextmanager
async def opened(address: str, token: str) -> AsyncIterator[Page]:
    async with (
        httpx.AsyncClient(base_url=address, timeout=SOON_S) as line,
        line.stream("GET", "/events", headers={"authorization": f"Bearer {token}"}) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        page = Page(answer.aiter_lines())
        assert (await page.hear())[0] == "hello"
        yield page
