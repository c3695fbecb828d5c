"""The invoice on paper: what its reader finds on it, and that it is drawn the same whenever it is drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from uuid import UUID

import pypdf
import pytest

from backhaul.dispatch.admin.office_settings import OfficeSettings
from backhaul.dispatch.invoices import paper
from backhaul.dispatch.invoices.invoices import Invoice, Line
from backhaul.dispatch.invoices.words import money, percent

JANE = Invoice(
    id=UUID(int=1), invoice_number="INV-0042", client_id=UUID(int=2), knumber="K1234567", bill_to_name="Jane Roe",
    bill_to_address="1 High St\nStewiacke, NS B0N 2J0", invoice_status="created", invoice_date=date(2026, 11, 25),
    due_date=date(2026, 12, 25), tax_rate=Decimal("0.14000"), invoice_subtotal=Decimal("1165.55"),
    invoice_tax=Decimal("163.18"), invoice_total=Decimal("1328.73"), notes="Two trips were shared.",
    invoice_sent_at=None, payment_received_at=None, voided_at=None,
    invoice_created_at=datetime(2026, 11, 25, 12, tzinfo=UTC), created_by=None, mail_to=None,
)  # fmt: skip
OFFICE = OfficeSettings(
    business_name="Riverside Rides", business_address="12 Main St\nTruro, NS B2N 5A1", sms_signature="x",
    support_phone="+19025550100", notices_on=True, reminders_on=True, reminder_hours_before=24,
    reminder_window_start=time(9), reminder_window_end=time(20), tax_rate=Decimal("0.14"), default_rate=None,
    tax_number="12345 6789 RT0001", invoice_due_days=30, invoice_footer="Pay by e-transfer to billing@riverside.test",
)  # fmt: skip


def line(place: int, description: str = "Round trip, 9:00 am, QEII") -> Line:
    return Line(UUID(int=place), place, date(2026, 11, 1 + place % 28), description, Decimal("1085.55"))


def pages(document: bytes) -> list[str]:
    """What can be read on each page, white space made single."""
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(BytesIO(document)).pages]


def test_everything_an_accountant_looks_for_is_on_it() -> None:
    (page,) = pages(paper.draw(JANE, [line(1), line(2, "Support, 1:00 pm, Colchester")], OFFICE))
    for words in (
        "Riverside Rides 12 Main St Truro, NS B2N 5A1 902-555-0100", "Tax number 12345 6789 RT0001",
        "Bill to Jane Roe 1 High St Stewiacke, NS B0N 2J0", "Invoice number INV-0042", "Invoice date 25 November 2026",
        "Due 25 December 2026", "Client number K1234567", "2 Nov 2026 Round trip, 9:00 am, QEII $1,085.55",
        "3 Nov 2026 Support, 1:00 pm, Colchester $1,085.55", "Subtotal $1,165.55", "Tax (14%) $163.18", "Total due $1,328.73",
        "Notes Two trips were shared.", "Pay by e-transfer to billing@riverside.test", "Page 1 of 1",
    ):  # fmt: skip
        assert words in page


def test_what_the_office_has_not_said_takes_no_room_on_it() -> None:
    silent = replace(OFFICE, business_address="", support_phone=None, tax_number="", invoice_footer="")
    (page,) = pages(paper.draw(replace(JANE, notes=None), [line(1)], silent))
    assert "Tax number" not in page
    assert "Notes" not in page
    assert "None" not in page


def test_a_long_list_goes_on_over_the_page_with_number_and_heads_again_and_the_sums_stay_together() -> None:
    """Whatever the number of lines, so that no edge of the paper is met by chance."""
    for count in (25, 27, 29, 31, 33, 330):
        found = pages(paper.draw(JANE, [line(n) for n in range(1, count + 1)], OFFICE))
        assert sum(page.count("$1,085.55") for page in found) == count
        assert found[-1].endswith(f"Page {len(found)} of {len(found)}")
        assert "Subtotal $1,165.55 Tax (14%) $163.18 Total due $1,328.73" in found[-1] or "Total due" in found[-2]
        for later in found[1:]:
            assert later.startswith("Invoice INV-0042 · Jane Roe")
            assert ("Date Trip Amount" in later) is ("$1,085.55" in later)


@pytest.mark.parametrize(
    "name", ["Zoë Ångström-Łukasiewicz", "Ольга Шевченко", "Ελένη Παππά", "Seán Ó hÉigeartaigh", "Đặng Văn Lâm"]
)
def test_names_of_many_alphabets_are_written(name: str) -> None:
    (page,) = pages(paper.draw(replace(JANE, bill_to_name=name), [line(1)], OFFICE))
    assert f"Bill to {name} 1 High St" in page


def test_a_letter_the_typeface_lacks_is_shown_as_one_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    (page,) = pages(paper.draw(replace(JANE, bill_to_name="Li 李 \ue000 {nb}"), [line(1)], OFFICE))
    assert "Bill to Li \ufffd \ufffd {nb} 1 High St" in page
    assert caplog.text == ""


def test_a_word_that_is_wider_than_its_column_is_broken_not_lost() -> None:
    (page,) = pages(paper.draw(JANE, [line(1, "Llanfair" * 40)], OFFICE))
    assert "".join(page.split()).count("Llanfair") >= 38  # where a line ends, one is in two


def test_the_same_invoice_is_the_same_bytes() -> None:
    drawn = {sha256(paper.draw(JANE, [line(1), line(2)], OFFICE)).digest() for _ in range(2)}
    assert len(drawn) == 1
    assert sha256(paper.draw(replace(JANE, notes="x"), [line(1), line(2)], OFFICE)).digest() not in drawn


def test_a_void_invoice_says_so_on_every_page_in_its_title_and_in_words_and_is_the_same_bytes_too() -> None:
    void = replace(JANE, invoice_status="void", voided_at=datetime(2026, 11, 27, 1, tzinfo=UTC))  # the evening before in Halifax
    lines = [line(n) for n in range(1, 40)]
    document = paper.draw(void, lines, OFFICE)
    first, second = pages(document)
    assert "VOID: this invoice was voided on 26 November 2026. Nothing is due on it." in first
    assert "Total, void $1,328.73" in second
    for page in (first, second):
        assert "VOID" in page
        assert "Total due" not in page
    title = (pypdf.PdfReader(BytesIO(document)).metadata or {})["/Title"]
    assert title == "Invoice INV-0042 (void)"
    assert paper.draw(void, lines, OFFICE) == document
    assert "VOID" not in "".join(pages(paper.draw(JANE, lines, OFFICE)))


def test_amounts_are_written_as_in_canada() -> None:
    assert [money(Decimal(one)) for one in ("0", "0.5", "1234567.89")] == ["$0.00", "$0.50", "$1,234,567.89"]
    assert [percent(Decimal(one)) for one in ("0.14000", "0.09975", "0", "1")] == ["14%", "9.975%", "0%", "100%"]
