"""Notes on a Quo contact, for the office's own eyes: they send nothing to anybody. The dated surface alone has them.

A note has no key of ours. Ours carry a mark as their last line, by which they are found, changed and removed again; a note
whose mark somebody has deleted counts as theirs. Source: Quo docs, Contact notes (version 2026-03-30).
"""

from __future__ import annotations

import re
from urllib.parse import quote

from pydantic import TypeAdapter

from backhaul.core.outbound import Outbound
from backhaul.outside.quo_contact import explain_by_id
from backhaul.outside.quo_dated import Page, Wire, all_pages, delete, path_of

LONGEST = 2000
_MENTION = re.compile(r"@(?=US|GR|OR)")  # Quo would call that user, group or whole organisation


class Notes:
    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def put(self, contact_id: str, text: str | None, *, mark: str) -> None:
        """One note with this mark says `text` when this returns; with None there is none. Safe to repeat, after any failure.

        Raises: Gone when the contact is no longer there; and as put_contact does.
        """
        path = f"{path_of(contact_id)}/notes"
        listed = await all_pages(self._outbound, path, _NOTES, about=text, explain=explain_by_id)
        ours = [note for note in listed if note.text.rstrip().endswith(mark)]
        kept = ours[0] if ours and text is not None else None
        body = {"text": _marked(text or "", mark)}
        if text is not None and kept is None:
            await self._outbound.send("POST", path, repeatable=False, json=body, explain=explain_by_id)
        elif kept and kept.text != body["text"]:
            one = f"{path}/{quote(kept.id, safe='')}"
            await self._outbound.send("PATCH", one, repeatable=True, json=body, explain=explain_by_id)
        for note in ours:
            if note is not kept:
                await delete(self._outbound, f"{path}/{quote(note.id, safe='')}", about=text)


class _Note(Wire):
    id: str
    text: str


_NOTES = TypeAdapter(Page[_Note])


def _marked(text: str, mark: str) -> str:
    """The text, cut to what Quo takes, without anybody being called by it; and the mark."""
    quiet = _MENTION.sub("@ ", text.strip())
    room = LONGEST - len(mark) - 1
    return f"{quiet if len(quiet) <= room else quiet[: room - 1] + '…'}\n{mark}"
