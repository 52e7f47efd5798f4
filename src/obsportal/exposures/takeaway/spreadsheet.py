"""Text in tables for people: spreadsheets take some texts for formulas, and headers hold any text."""

from __future__ import annotations


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula; one that might be has an apostrophe in front.

    >>> harmless("=HYPERLINK(1)"), harmless("HD 1"), harmless("-14.18"), harmless("-")
    ("'=HYPERLINK(1)", 'HD 1', '-14.18', '-')
    """
    if text[:1] in {"=", "@", "\t", "\r", "\n"}:
        return f"'{text}"
    if text[:1] in {"+", "-"} and text[1:2] and not text[1:].replace(".", "", 1).isdigit():
        return f"'{text}"
    return text
