"""`backhaul sandbox`: the stand-ins alone, and faults on demand."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from backhaul.cli.shared import print_json, read_settings
from backhaul.core.errors import Problem
from backhaul.dispatch.stand_ins import ask_stand_ins

sandbox = typer.Typer(help="The stand-ins for the services outside.", no_args_is_help=True)


@sandbox.command("serve")
def sandbox_serve(port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0) -> None:
    """Run the stand-ins alone; point BACKHAUL_STAND_INS at the address they print."""
    from backhaul.sandbox.__main__ import main as stand_in  # noqa: PLC0415  (a production process never loads the stand-ins)

    raise typer.Exit(stand_in(["--port", str(port), "--home", str(read_settings().home / "stand-ins")]))


@sandbox.command("fail")
def sandbox_fail(
    service: Annotated[str, typer.Argument(help="maps, quo, calendar, slack or mail.")],
    fault: Annotated[str, typer.Argument(help="ok, 401, 429, 500, timeout, slow, lost, html …")],
    times: Annotated[int | None, typer.Option(min=1, help="How often; otherwise until told `ok`.")] = None,
) -> None:
    """Make a stand-in fail, or work again (`ok`)."""
    settings = read_settings()
    address = settings["stand_ins"]
    if address is None:
        raise Problem(
            "No stand-ins are running here", f"None are known under {settings.home}", "Start them: backhaul up, or sandbox serve"
        )
    order = {"service": service, "fault": fault} | ({"times": times} if times else {})
    print_json(asyncio.run(ask_stand_ins(address, "POST", order)), pretty=True)
