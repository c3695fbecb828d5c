"""A contact as we know it, and what both of Quo's surfaces say alike about contacts.

Source: Quo docs, External contacts; Errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from backhaul.core.answer import Answer
from backhaul.core.errors import Gone, OutsideProblem, Transient
from backhaul.outside.quo_line import SERVICE, explain

SOURCE = "dispatch"
OURS = "Dispatch"  # the name of the telephone number and the e-mail address that are ours to change
CLASH = "quo.409"

E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{1,14}$")]


class Contact(BaseModel):
    """What we know of a person. None: we do not know; a last name in Quo then stays, a number or e-mail of ours goes."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    first_name: str = Field(min_length=1)
    last_name: str | None = None
    phone: E164 | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A contact as a look-up tells of it."""

    id: str
    external_id: str | None
    created_at: str


class Surface(Protocol):
    """Contacts, on one of Quo's two surfaces."""

    async def find(self, external_id: str, *, about: object, most: int = 50) -> list[Known]:
        """What Quo answers to our id. Neither surface makes it unique."""
        ...

    async def create(self, contact: Contact, external_id: str) -> str:
        """Makes a contact, whether or not there is one; its id. Raises: Transient with code CLASH when Quo sees a clash."""
        ...

    async def update(self, contact_id: str, contact: Contact, external_id: str) -> None:
        """Brings what is ours up to date and leaves the rest. Raises: Gone."""
        ...


def new_id(answer: Answer) -> str | None:
    """The id of what was made; None where the answer does not say."""
    match answer.json():
        case {"data": {"id": str(made)}} if made:
            return made
    return None


NO_ID = "It answered yes, but did not say where the contact is"


def explain_by_id(answer: Answer) -> OutsideProblem | None:
    if answer.status == 404:
        what, why = "The contact is no longer in Quo", "Somebody deleted it there"
        return Gone(SERVICE, what, why, "It will be created again", code="quo.404")
    return explain(answer)


def explain_create(answer: Answer) -> OutsideProblem | None:
    if answer.status == 409:
        # No page of Quo says when: perhaps another request creates the same contact just now.
        what, why = "Quo says that the contact clashes with another", "It answered 409, and has no contact with our id"
        return Transient(SERVICE, what, why, "It is tried again; if it goes on, look for the person in Quo", code=CLASH)
    return explain(answer)
