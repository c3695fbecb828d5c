"""An invoice on paper: a PDF of letter size, the same bytes whenever it is drawn of the same invoice.

The typeface is DejaVu Sans Condensed (fonts/, its licence beside it), of which only the letters in use are embedded: Latin with
every accent, Greek, Cyrillic and more. A letter it lacks, a Chinese one or an emoji, shows as a question mark in a lozenge.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import TTFFont

from backhaul.dispatch.admin.office_settings import OfficeSettings
from backhaul.dispatch.invoices.invoices import Invoice, Line
from backhaul.dispatch.invoices.words import money, percent, spoken
from backhaul.dispatch.wall_time import office as office_time

_FONTS = Path(__file__).parent / "fonts"
_FILES = {"": "DejaVuSansCondensed.ttf", "B": "DejaVuSansCondensed-Bold.ttf"}
_MARGIN, _FOOT = 20.0, 22.0  # mm
_DATE, _AMOUNT, _ROW = 32.0, 30.0, 6.0  # widths of the outer columns, and the height of a line of text, in mm
_PAGES = 3 * "\ue000"  # stands for the number of pages until that is known, in letters of nobody's, which no name can hold
_INK, _QUIET, _RULE, _GROUND = (21, 35, 31), (77, 96, 90), (190, 203, 198), (242, 246, 245)
_ALARM, _STAMP = (168, 24, 24), (246, 205, 205)  # of what is void: in words, and across the page, where all else is read over it
_STAMP_SIZE, _STAMP_ANGLE = 190, 50  # points, degrees

logging.getLogger("fpdf").setLevel(logging.ERROR)  # what it warns of quotes letters of people's names
logging.getLogger("fontTools").setLevel(logging.ERROR)


def draw(invoice: Invoice, lines: Sequence[Line], office: OfficeSettings) -> bytes:
    """The paper of an invoice, over as many pages as its lines take."""
    paper = _Paper(invoice, office)
    paper.head()
    paper.bill()
    paper.trips(lines)
    paper.sums()
    paper.small_print()
    return bytes(paper.output())


class _Paper(FPDF):
    def __init__(self, invoice: Invoice, office: OfficeSettings) -> None:
        super().__init__(unit="mm", format="letter")
        self._invoice = invoice
        self._office = office
        for style, file in _FILES.items():
            self.add_font("DejaVu", style, _FONTS / file)
        cuts = [font.cmap for font in self.fonts.values() if isinstance(font, TTFFont)]
        self._letters = set(cuts[0]).intersection(*cuts)  # what all cuts of the typeface can write
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(True, _FOOT)
        self.alias_nb_pages(_PAGES)
        self.set_lang("en-CA")
        self._name = f"Invoice {invoice.invoice_number}" + (" (void)" if invoice.is_void else "")
        self.set_title(self._name)
        self.set_author(self._writable(office.business_name))
        self.set_creation_date(invoice.voided_at or invoice.invoice_created_at)
        self._in_table = False
        self.add_page()

    # ── Called by fpdf, on each page ──

    def header(self) -> None:
        if self._invoice.is_void:
            self._stamp("VOID")
        if self.page_no() == 1:
            return
        self._font(9, quiet=True)
        who = self._writable(f"{self._name} · {self._invoice.bill_to_name}")
        self.cell(0, _ROW, who, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)
        if self._in_table:
            self._columns()

    def footer(self) -> None:
        self.set_y(-15)
        self._font(8, quiet=True)
        whose = self._writable(f"{self._office.business_name} · {self._name}")
        self.cell(0, 5, f"{whose} · Page {self.page_no()} of {_PAGES}")  # at the left, since its width shows at the end only

    # ── Down the page ──

    def head(self) -> None:
        """Whose invoice it is, and the word that says what this is."""
        office = self._office
        top = self.get_y()
        self._font(24, "B")
        self.cell(0, 10, "Invoice", align="R")
        self.set_xy(_MARGIN, top)
        self._font(14, "B")
        self.multi_cell(110, 7, self._writable(office.business_name), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._font(9.5, quiet=True)
        tax_number = office.tax_number and f"Tax number {office.tax_number}"
        lines = [*office.business_address.splitlines(), _phone(office.support_phone), tax_number]
        self.multi_cell(
            110, 4.8, self._writable("\n".join(line for line in lines if line)), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        self.set_y(max(self.get_y(), top + 16) + 8)
        voided_at = self._invoice.voided_at
        if voided_at is not None:
            self._font(11, "B")
            self.set_text_color(*_ALARM)
            self.cell(0, _ROW, f"VOID: this invoice was voided on {spoken(office_time(voided_at).date())}. Nothing is due on it.")
            self.ln(_ROW + 6)

    def bill(self) -> None:
        """To whom, and the facts of it beside."""
        invoice = self._invoice
        top = self.get_y()
        self._font(8.5, quiet=True)
        self.cell(90, 5, "Bill to", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._font(11, "B")
        self.multi_cell(90, 5.5, self._writable(invoice.bill_to_name), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._font(10)
        self.multi_cell(90, 5, self._writable(invoice.bill_to_address), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        below = self.get_y()
        self.set_y(top)
        facts = (
            ("Invoice number", invoice.invoice_number),
            ("Invoice date", spoken(invoice.invoice_date)),
            ("Due", "Nothing: void" if invoice.is_void else spoken(invoice.due_date)),
            ("Client number", invoice.knumber),
        )
        for label, value in facts:
            self.set_x(self.w - _MARGIN - 76)
            self._font(9.5, quiet=True)
            self.cell(32, 5.6, label)
            self._font(10, "B" if label == "Invoice number" else "")
            self.cell(44, 5.6, value, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_y(max(below, self.get_y()) + 8)

    def trips(self, lines: Sequence[Line]) -> None:
        self._in_table = True
        self._columns()
        for line in lines:
            self._line(line)
        self._in_table = False
        self._rule()

    def sums(self) -> None:
        invoice = self._invoice
        rows = (
            ("Subtotal", invoice.invoice_subtotal),
            (f"Tax ({percent(invoice.tax_rate)})", invoice.invoice_tax),
            ("Total, void" if invoice.is_void else "Total due", invoice.invoice_total),
        )
        self._keep_together(4 * _ROW)
        self.ln(2)
        for label, amount in rows:
            last = label.startswith("Total")
            self._font(12 if last else 10, "B" if last else "", quiet=not last)
            self.cell(self.epw - 40, 8 if last else _ROW, label, align="R")
            self._font(12 if last else 10, "B" if last else "")
            self.cell(40, 8 if last else _ROW, money(amount), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def small_print(self) -> None:
        for heading, text in (("Notes", self._invoice.notes), (None, self._office.invoice_footer)):
            if not text:
                continue
            self.ln(6)
            if heading:
                self._keep_together(2 * _ROW)
                self._font(9.5, "B")
                self.cell(0, 5, heading, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self._font(9.5, quiet=heading is None)
            self.multi_cell(0, 4.8, self._writable(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    # ── Parts ──

    def _stamp(self, word: str) -> None:
        """A word from corner to corner of the page, beneath all that is written on it."""
        middle = self.w / 2, self.h / 2
        self.set_font("DejaVu", "B", _STAMP_SIZE)
        self.set_text_color(*_STAMP)
        with self.rotation(_STAMP_ANGLE, *middle):
            self.text(middle[0] - self.get_string_width(word) / 2, middle[1] + self.font_size / 3, word)

    def _columns(self) -> None:
        self._font(8.5, quiet=True)
        self.set_fill_color(*_GROUND)
        self.cell(_DATE, 7, "Date", fill=True)
        self.cell(self.epw - _DATE - _AMOUNT, 7, "Trip", fill=True)
        self.cell(_AMOUNT, 7, "Amount", fill=True, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _line(self, line: Line) -> None:
        self._font(10)
        words = self._writable(line.description)
        width = self.epw - _DATE - _AMOUNT
        rows = cast("list[str]", self.multi_cell(width, 5, words, align="L", dry_run=True, output="LINES"))
        height = 5 * len(rows) + 2
        self._keep_together(height)
        top = self.get_y()
        self._rule()
        self.set_y(top + 1)
        self._font(10)
        self.cell(_DATE, 5, f"{line.served_on.day} {line.served_on:%b %Y}")
        self.multi_cell(width, 5, words, align="L", new_x=XPos.RIGHT, new_y=YPos.TOP)
        self.cell(_AMOUNT, 5, money(line.rate), align="R")
        self.set_xy(_MARGIN, top + height)

    def _writable(self, text: str) -> str:
        return "".join(letter if letter == "\n" or ord(letter) in self._letters else "\ufffd" for letter in text)

    def _rule(self) -> None:
        self.set_draw_color(*_RULE)
        self.line(_MARGIN, self.get_y(), self.w - _MARGIN, self.get_y())

    def _keep_together(self, height: float) -> None:
        if self.will_page_break(height):
            self.add_page()

    def _font(self, size: float, style: str = "", *, quiet: bool = False) -> None:
        self.set_font("DejaVu", style, size)
        self.set_text_color(*(_QUIET if quiet else _INK))


def _phone(number: str | None) -> str:
    """+19025550100 as 902-555-0100; any other as it is."""
    if number and number.startswith("+1") and len(number) == 12:
        return f"{number[2:5]}-{number[5:8]}-{number[8:]}"
    return number or ""
