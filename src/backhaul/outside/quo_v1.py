"""A contact as we know it, as Quo's v1 has it, and the two merged.

Source: Quo docs, Create a contact; Update a contact by ID (v1).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic.alias_generators import to_camel

SOURCE = "dispatch"
OURS = "Dispatch"  # the name of the telephone number and the e-mail address that are ours to change

E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{1,14}$")]


class Contact(BaseModel):
    """What we know of a person. None: we do not know; a last name in Quo then stays, a number or e-mail of ours goes."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    first_name: str = Field(min_length=1)
    last_name: str | None = None
    phone: E164 | None = None
    email: str | None = None


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Item(_Wire):
    """A telephone number or an e-mail address."""

    id: str | None = None
    name: str | None = None
    value: str | None = None


class _Custom(_Wire):
    """A custom field. Name and type belong to its definition and are not sent back."""

    id: str | None = None
    key: str
    value: Any = None


_Items = Annotated[list[_Item], BeforeValidator(lambda value: value or [])]
_Customs = Annotated[list[_Custom], BeforeValidator(lambda value: value or [])]


class _Fields(_Wire):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    role: str | None = None
    phone_numbers: _Items = []
    emails: _Items = []


class _Record(_Wire):
    id: str
    external_id: str | None = None
    source: str | None = None
    source_url: str | None = None
    created_at: str = ""
    default_fields: _Fields = _Fields()
    custom_fields: _Customs = []


class _One(BaseModel):
    data: _Record


class _Many(BaseModel):
    data: list[_Record]


ONE = TypeAdapter(_One)
MANY = TypeAdapter(_Many)


def new(contact: Contact, external_id: str) -> dict[str, Any]:
    """The whole contact to create."""
    fields = _Fields(
        first_name=contact.first_name,
        last_name=contact.last_name,
        phone_numbers=_merge_items([], contact.phone),
        emails=_merge_items([], contact.email),
    )
    return {"defaultFields": _as_json(fields), "externalId": external_id, "source": SOURCE}


def merge(record: _Record, contact: Contact, external_id: str) -> dict[str, Any]:
    """The whole contact to send: theirs as it was read, with item ids, and ours as we know it now."""
    theirs = record.default_fields
    fields = theirs.model_copy(
        update={
            "first_name": contact.first_name,
            "last_name": contact.last_name or theirs.last_name,
            "phone_numbers": _merge_items(theirs.phone_numbers, contact.phone),
            "emails": _merge_items(theirs.emails, contact.email),
        }
    )
    body = {
        "externalId": external_id,
        "sourceUrl": record.source_url,
        # Quo refuses its own names for a source, though it returns them; a contact made by hand has one.
        "source": record.source if record.source and not _is_reserved(record.source) else None,
        "defaultFields": _as_json(fields),
        "customFields": [_as_json(custom) for custom in record.custom_fields if custom.value is not None],
    }
    return {name: value for name, value in body.items() if value is not None}


def _merge_items(items: list[_Item], value: str | None) -> list[_Item]:
    """Others' items as they are, and ours with `value`, under its old id. Not twice, if another item holds it already."""
    others = [item for item in items if item.name != OURS]
    if value is None or any(item.value == value for item in others):
        return others
    old_id = next((item.id for item in items if item.name == OURS), None)
    return [*others, _Item(id=old_id, name=OURS, value=value)]


def _is_reserved(source: str) -> bool:
    return source.startswith(("openphone", "csv")) or source in ("device", "zapier", "google-people", "other")


def _as_json(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(by_alias=True, exclude_none=True)
