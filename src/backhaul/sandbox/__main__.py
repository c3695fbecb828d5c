"""Runs the stand-ins as a process: `python -m backhaul.sandbox --port 0 --home DIR`. SIGTERM and Ctrl-C end it cleanly."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from backhaul.core.parent import end_with_parent
from backhaul.sandbox.app import create_app
from backhaul.sandbox.server import StandInServer, listen


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 after a clean end, 1 when a port is taken or the home cannot be written."""
    asked = _parser().parse_args(arguments)
    home: Path = asked.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        listener = listen(asked.port)
    except OSError as problem:
        sys.stderr.write(f"The stand-ins cannot start: {problem}. Choose another --port or --home.\n")
        return 1
    if asked.until_stdin_closes:
        end_with_parent()
    app = create_app(
        home / "stand-ins.sqlite3",
        mail_folder=home / "mail",
        smtp_port=asked.smtp_port,
        quo_per_second=asked.quo_per_second or None,
        routes_elements_per_minute=asked.routes_elements_per_minute or None,
    )
    server = StandInServer(app)
    for ending in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal once more after its clean end; without this the process would die of it after all.
        signal.signal(ending, lambda *_: None)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backhaul.sandbox", description="Stand-ins for Google, Quo, Slack and mail.")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes any free one (default)")
    parser.add_argument("--home", type=Path, required=True, help="folder for what they remember and for delivered mail")
    parser.add_argument(
        "--smtp-port", type=int, default=0, help="of the mail server; 0 takes any free one (see /_stand-ins/state)"
    )
    parser.add_argument("--quo-per-second", type=int, default=10, help="Quo's limit for each key; 0 lifts it")
    parser.add_argument("--routes-elements-per-minute", type=int, default=3000, help="Google Routes' limit; 0 lifts it")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does: for a parent process")
    return parser


if __name__ == "__main__":
    sys.exit(main())
