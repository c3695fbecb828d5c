"""Supabase's own judgement of the schema: its advisors at warn level, and `db push` after our runner says up to date.

Needs Node: the command line is the npm package `supabase`, pinned here. Ends with 1 when anything is found.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from backhaul.core.embedded import EmbeddedPostgres
from backhaul.core.migrations import migrate
from backhaul.core.share import share

SUPABASE = ("npx", "--yes", "supabase@3.1.0")


def main() -> int:
    """The exit status: 0 when both are content."""
    with tempfile.TemporaryDirectory(prefix="backhaul-schema-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home / "postgres", fsync=False) as postgres:
            migrate(postgres.dsn(), share("supabase", "migrations"))
            url = postgres.url()
            advisors = _run("advisors", "db", "advisors", "--remote", url, "--level", "warn", "--fail-on", "warn")
            pushed = _run("db push", "db", "push", "--db-url", url, "--yes", cwd=share())
            up_to_date = "up to date" in pushed.stdout + pushed.stderr
            if not up_to_date:
                print("supabase db push did not say that the database is up to date")  # noqa: T201  (a script's only voice)
            return int(advisors.returncode != 0 or pushed.returncode != 0 or not up_to_date)


def _run(name: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*SUPABASE, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    print(f"── supabase {name}: {'well' if done.returncode == 0 else 'not well'}\n{done.stdout}{done.stderr}".rstrip())  # noqa: T201
    return done


if __name__ == "__main__":
    sys.exit(main())
