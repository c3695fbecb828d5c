"""Mail through the stand-ins: over real SMTP to their mail server, which keeps each mail in a folder and delivers to nobody."""

from __future__ import annotations

from email.headerregistry import Address

from pydantic import BaseModel, TypeAdapter

from backhaul.core.line import NO_LIMITS, Limits
from backhaul.core.outbound import Outbound
from backhaul.outside.mail import SERVICE, Message
from backhaul.outside.smtp import Server, Smtp


class _Listening(BaseModel):
    host: str
    port: int


class _State(BaseModel):
    mail: _Listening


_STATE = TypeAdapter(_State)


class StandInMail:
    """address: of the stand-ins. Their mail server's port is asked before each mail: once started again, they have another."""

    service = SERVICE

    def __init__(self, address: str, sender: Address, *, limits: Limits) -> None:
        self._desk = Outbound(SERVICE, address, limits=NO_LIMITS, limiter_key="mail")
        self._sender = sender
        self._limits = limits

    async def send(self, message: Message) -> None:
        """Raises: as Smtp; Transient when the stand-ins do not run."""
        await (await self._smtp()).send(message)

    async def greet(self) -> None:
        """Raises: as Smtp; Transient when the stand-ins do not run."""
        await (await self._smtp()).greet()

    async def aclose(self) -> None:
        await self._desk.aclose()

    async def _smtp(self) -> Smtp:
        state = self._desk.read(await self._desk.send("GET", "/_stand-ins/state", repeatable=True), _STATE)
        return Smtp(Server(state.mail.host, state.mail.port), self._sender, limits=self._limits)
