"""Where the files that are not Python lie: sql/, supabase/migrations/ and web/, in a checkout or inside the installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def checkout() -> Path | None:
    """The checkout that this program runs from; None when it was installed."""
    return None if (_PACKAGE / "_share").is_dir() else _PACKAGE.parent.parent


def share(*parts: str) -> Path:
    """The path of one of our own files or folders, e.g. share("sql", "queries")."""
    packed = _PACKAGE / "_share"
    return (packed if packed.is_dir() else _PACKAGE.parent.parent).joinpath(*parts)
