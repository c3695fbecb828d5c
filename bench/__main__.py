"""`make bench`: how long the caller waits, how soon work begins, how much gets done, how soon a failure is seen, and how long a
sign-in takes while others guess passwords.

Every comparison runs side by side in one run, because the machine's speed drifts. Read the ratios, not the milliseconds.
A benchmark never fails a build: it reports.
"""

from __future__ import annotations

import argparse
import os
import platform

import uvloop
from rich.console import Console
from rich.table import Table

from bench import answer, pickup, screen, sign_in, throughput, trips
from bench.house import House
from bench.stats import Series

PARTS = {
    "trips": trips.measure,  # before the next, whose worker would still be at its many clients
    "answer": answer.measure,
    "pickup": pickup.measure,
    "throughput": throughput.measure,
    "screen": screen.measure,
    "sign-in": sign_in.measure,
}


def main() -> None:
    """Runs the parts asked for, and prints one table."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts; all by default")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each part measures (default 20)")
    parser.add_argument(
        "--rate", type=float, default=100.0, help="add-client and save-appointment requests a second (default 100)"
    )
    asked = parser.parse_args()
    console = Console(width=150)  # figures that wrap cannot be compared
    with House() as house:
        console.print(
            f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()},"
            f" Postgres {house.postgres_version} with fsync on; database, API, worker, stand-ins and load on this one machine"
        )
        for part in asked.parts or list(PARTS):
            console.print(f"[dim]{part} …[/]")
            _print(console, uvloop.run(PARTS[part](house, seconds=asked.seconds, rate=asked.rate)))


def _print(console: Console, found: list[Series]) -> None:
    table = Table("what", "n", "p50", "p95", "p99", "against", "aim", box=None, pad_edge=False)
    for one in found:
        table.add_row(one.name, str(one.count), *one.shown, one.against, one.aim)
    console.print(table)


if __name__ == "__main__":
    main()
