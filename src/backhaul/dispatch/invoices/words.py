"""How amounts, rates and days are written on an invoice, and in the mail that brings it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal


def money(amount: Decimal) -> str:
    """ "$1,234.50"."""
    return f"${amount:,.2f}"


def spoken(day: date) -> str:
    """ "3 December 2026"."""
    return f"{day.day} {day:%B %Y}"


def percent(rate: Decimal) -> str:
    """A fraction as "14%", or "9.975%"."""
    return f"{(rate * 100).normalize():f}%"
