"""The statements of sql/queries/*.sql, by name: each begins with a line `-- name: what_it_does`."""

from __future__ import annotations

import re

from backhaul.core.share import share

_HEADING = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Queries:
    """The statements of one file as attributes. `Queries("clients").by_id` is the statement named by_id in clients.sql."""

    def __init__(self, file: str) -> None:
        self._file = file
        parts = _HEADING.split(share("sql", "queries", f"{file}.sql").read_text("utf-8"))
        self._statements = {name: text.strip().encode() for name, text in zip(parts[1::2], parts[2::2], strict=True)}

    def __getattr__(self, name: str) -> bytes:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"sql/queries/{self._file}.sql has no statement named {name}") from None
