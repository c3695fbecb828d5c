"""The process that answers people: the API and the pages."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from backhaul.core.stream import Stream
from backhaul.dispatch.app import create_app
from backhaul.dispatch.settings import Settings


def serve(settings: Settings, dsn: str, *, ready: Callable[[str], object]) -> None:
    """Answers until SIGTERM or SIGINT. `ready` hears the address once requests are taken."""
    app = create_app(settings, dsn)
    _Server(server_config(settings, app), ready, lambda: getattr(app.state, "stream", None)).run()


def server_config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    """How the application is served: it says nothing of itself, and believes no headers but those of the office's own proxies."""
    return uvicorn.Config(
        app,
        host=settings["host"],
        port=settings["port"],
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings["trusted_proxies"],
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
        backlog=512,
    )


class _Server(uvicorn.Server):
    """uvicorn, which says when it is ready and hangs up the event streams before it waits for open requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[str], object], stream: Callable[[], Stream | None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stream = stream

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://{host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        stream = self._stream()
        if stream is not None:
            stream.hang_up()
        super().handle_exit(sig, frame)
