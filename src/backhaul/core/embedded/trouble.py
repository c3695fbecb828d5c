"""What Postgres says when it does not start, put into words a person can act on."""

from __future__ import annotations

from pathlib import Path

from backhaul.core.errors import Problem

_SHOWN_LINES = 8

# What its messages contain, why that is, and what to do. {folder} is where its files are.
_KNOWN = (
    ("No space left on device", "The disk that holds {folder} is full", "Free some space there and start again"),
    ("Disk quota exceeded", "Your share of the disk that holds {folder} is used up", "Free some space there and start again"),
    ("Read-only file system", "{folder} can be read but not written", "Choose another home (BACKHAUL_HOME)"),
    (
        "Permission denied",
        "The account that the server runs as may not use {folder} or something in it",
        "Give it back to its owner, or choose another home (BACKHAUL_HOME)",
    ),
    ("Cannot allocate memory", "The machine has too little free memory", "Stop something else, or lower shared_buffers"),
    ("could not resize shared memory", "Its shared memory, /dev/shm, is too small", "Enlarge it (for a container: --shm-size)"),
    (
        "database files are incompatible with server",
        "Its files were made by another build of Postgres",
        "Install the earlier version of the package again, or load a dump into an empty folder",
    ),
    ("unrecognized configuration parameter", "A setting it was given is unknown to it", "Correct the setting's name"),
    ("invalid value for parameter", "A setting it was given has a value it does not take", "Correct the setting's value"),
)


def why_not(what: str, folder: Path, said: str, *, code: str) -> Problem:
    """The problem, its cause where the server's own words name one, and the end of those words."""
    why, todo = next(
        ((why.format(folder=folder), todo) for words, why, todo in _KNOWN if words in said),
        (
            "The reason is in its own words below",
            "Correct what they name and start again; or set DATABASE_URL to another Postgres",
        ),
    )
    lines = [line for line in said.strip().splitlines() if line.strip()][-_SHOWN_LINES:]
    heard = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
    return Problem(what, f"{why}. It said:\n{heard}\n", todo, code=code)
