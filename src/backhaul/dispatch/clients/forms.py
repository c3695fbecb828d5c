"""The forms of clients, as pages and documents send them: a new one, and a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from backhaul.dispatch import forms
from backhaul.dispatch.forms import Change, Email, Form, KNumber, RequiredEmail, also, text

ADDRESS = ("civicaddress", "city", "prov", "postalcode")
SECOND_ADDRESS = ("secondary_civic_address", "secondary_city", "secondary_province", "secondary_postal_code")
_MOST_CLINICS = 500


def _clinic_ids(value: object) -> list[UUID]:
    if value in (None, ""):
        return []
    try:
        chosen = [UUID(str(one)) for one in value] if isinstance(value, list | tuple) else None
    except ValueError:
        chosen = None
    if chosen is None or len(chosen) > _MOST_CLINICS:
        raise ValueError("Clinics must be chosen from the list")
    return list(dict.fromkeys(chosen))


_clinics = BeforeValidator(_clinic_ids)


class NewClient(Form):
    """The add-client form. Accepts `{kNumber, clientData: {…}}` as the pages send it, and the flat variant of the documents."""

    knumber: KNumber = also("kNumber", "knumber")
    firstname: Annotated[str, text("First name", required=True, longest=100)] = also("firstName", "firstname", "first_name")
    lastname: Annotated[str, text("Last name", required=True, longest=100)] = also("lastName", "lastname", "last_name")
    phone: Annotated[str, forms.phone(required=True)] = also("phone")
    email: RequiredEmail = also("email")
    civicaddress: Annotated[str, text("Civic address", required=True)] = also("civicAddress", "civicaddress", "civic_address")
    city: Annotated[str, text("City", required=True, longest=100)] = also("city")
    prov: Annotated[str, forms.province(required=True)] = also("province", "prov")
    postalcode: Annotated[str, forms.postal_code(required=True)] = also("postalCode", "postalcode", "postal_code")
    appointment_length: Annotated[int, forms.minutes("Appointment length", least=15, most=480, default=120)] = also(
        "appointmentLength", "appointment_length"
    )
    notes: Annotated[str | None, text("Notes", longest=5000, lines=True)] = also("notes")
    emergency_contact_name: Annotated[str | None, text("Emergency contact name")] = also(
        "emergencyContactName", "emergency_contact_name"
    )
    emergency_contact_number: Annotated[str | None, forms.phone("Emergency contact number")] = also(
        "emergencyContactNumber", "emergency_contact_number"
    )
    active: Annotated[bool, forms.yes_or_no("Active", default=True)] = True
    mapaddress: Annotated[str | None, text("Map address")] = also("mapAddress", "mapaddress")
    primary_clinic_id: Annotated[UUID | None, forms.record_id("Primary clinic")] = also("primaryClinicId", "primary_clinic_id")
    secondary_civic_address: Annotated[str | None, text("Secondary civic address")] = also("secondary_civic_address")
    secondary_city: Annotated[str | None, text("Secondary city", longest=100)] = also("secondary_city")
    secondary_province: Annotated[str | None, forms.province("Secondary province")] = also("secondary_province")
    secondary_postal_code: Annotated[str | None, forms.postal_code("Secondary postal code")] = also("secondary_postal_code")
    secondary_address_notes: Annotated[str | None, text("Secondary address notes", longest=1000)] = also(
        "secondary_address_notes"
    )
    driver_gender_requirement: Annotated[str | None, forms.choice("Driver", "male", "female")] = also(
        "driver_gender_requirement", "driverGenderRequirement"
    )
    preferred_driver: Annotated[UUID | None, forms.record_id("Preferred driver")] = also("preferred_driver", "preferredDriver")
    selected_clinic_ids: Annotated[list[UUID], _clinics] = Field(
        default=[], validation_alias=AliasChoices("selectedClinicIds", "selected_clinic_ids")
    )

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        return cls._sound({key: value for key, value in _both_parts(sent) if value not in ("", None)})

    @classmethod
    def _sound(cls, given: dict[str, Any]) -> dict[str, Any]:
        if any(str(given.get(name, "")).strip() for name in SECOND_ADDRESS):
            given = dict.fromkeys(SECOND_ADDRESS, forms.Missing.FIELD) | given  # once begun, it is given whole
        return given

    @property
    def full_name(self) -> str:
        return f"{self.firstname} {self.lastname}"


class ClientChange(NewClient, Change):
    """A change of one client, named by its id or K number: a field left out stays as it is, null or "" takes it away.

    The K number itself is never changed. `version`, if sent, must be the stored one. `recalculateTravelTimes: false` leaves
    times unmeasured although an address has changed. `selectedClinicIds`: clinics to be measured that have no time yet.
    """

    id: Annotated[UUID | None, forms.record_id("Client")] = also("id", "clientId", "client_id")
    original: KNumber = also("originalKNumber", "original_knumber")
    email: Email = also("email")  # type: ignore[assignment]  # unlike when a client is new, it may be taken away
    active: Annotated[bool, forms.yes_or_no("Active", default=True)] = also("active")
    status: Annotated[str, forms.choice("Status", "active", "inactive", "archived")] = also("status")
    profile_status: Annotated[str, forms.choice("Profile", "complete", "incomplete")] = also("profile_status")
    recalculate: Annotated[bool, forms.yes_or_no("Recalculate travel times", default=True)] = Field(
        default=True, validation_alias=AliasChoices("recalculateTravelTimes", "recalculate_travel_times")
    )
    version: Annotated[int | None, forms.whole_number("Version", least=1, most=999_999_999)] = also("version")

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        given = dict(_both_parts(sent))
        told = {key: value for key, value in given.items() if key not in _NEVER_EMPTY or value not in ("", None)}
        if not any(told.get(name) for name in _NAMES):
            told["kNumber"] = forms.Missing.FIELD
        return cls._sound(told)

    @classmethod
    def _sound(cls, given: dict[str, Any]) -> dict[str, Any]:
        if any(str(given.get(name) or "").strip() for name in SECOND_ADDRESS):  # the rest may be stored already
            return {key: forms.Missing.FIELD if key in SECOND_ADDRESS and not value else value for key, value in given.items()}
        return given


_NAMES = ("id", "clientId", "client_id", "originalKNumber", "original_knumber", "kNumber", "knumber")
# what cannot be taken away: sent empty, it is as good as left out
_NEVER_EMPTY = frozenset({*_NAMES, "active", "status", "profile_status", "appointmentLength", "appointment_length", "version"})


def _both_parts(sent: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What lies beside clientData and in it. A name that is empty in one of them counts in the other."""
    inner = sent.get("clientData", sent.get("client_data")) or {}
    if not isinstance(inner, Mapping):
        raise ValueError("clientData must be an object")
    merged = {key: value for key, value in sent.items() if key not in ("clientData", "client_data")}
    for key, value in inner.items():
        if value not in ("", None) or key not in merged:
            merged[key] = value
    yield from merged.items()
