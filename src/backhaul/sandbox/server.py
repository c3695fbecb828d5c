"""The stand-ins as a process of their own: uvicorn on 127.0.0.1, and what uvicorn lacks, hanging up without an answer."""

from __future__ import annotations

import socket
import sys

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from backhaul.sandbox.door import HANG_UP


class HangUpProtocol(HttpToolsProtocol):
    """Offers applications, as an ASGI extension, to drop the connection at once."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"now": self.transport.abort}}


class StandInServer(uvicorn.Server):
    """Says one line when it is ready, for whoever started it and waits for that line."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=HangUpProtocol,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()
            sys.stdout.write(f"stand-ins ready http://{host}:{port}\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hangs up on everybody: a held or unanswered call must not keep the process alive."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes any free one. Raises OSError when the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener
