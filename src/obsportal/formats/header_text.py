"""Headers written as text: cards with line ends, listings of several HDUs, the archive's HTML page."""

from __future__ import annotations

import re

from obsportal.formats.fits_header import HeaderError

_PRE = re.compile(r"<pre\b[^>]*>(.*?)(</pre\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_ENTITIES = (
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", '"'),
    ("&#34;", '"'),
    ("&apos;", "'"),
    ("&#39;", "'"),
    ("&#039;", "'"),
    ("&#x27;", "'"),
    ("&amp;", "&"),
)
_END = re.compile(r"^END[ \0]*$", re.MULTILINE)


def looks_like_text_header(start: bytes) -> bool:
    """Whether a file that begins as FITS does is one card a line rather than FITS itself."""
    first = start.find(b"\n")
    return 0 <= first <= 160


def headers_of_text(text: str) -> str:
    """The header in a text file, with its END card: that of the first HDU with an instrument.

    Where no single HDU names the instrument, all HDUs of the listing are joined. Raises HeaderError
    with code not-a-header for an HTML page without header.
    """
    start = text[:2000].lstrip().lower()
    if start.startswith(("<!doctype", "<html", "<pre", "<?xml", "<body", "<head")):
        text = _of_html(text)
    if "\n" not in text[:400]:
        return text
    return _of_listing(text)


def _of_html(text: str) -> str:
    found = _PRE.search(text)
    if found is None:
        raise HeaderError("not-a-header", "the HTML page holds no <pre> element with a header")
    body = found[1]
    for entity, character in _ENTITIES:
        body = body.replace(entity, character)
    body = body.strip("\r\n ")
    complete = found[2] != ""
    if complete and not _END.search(body):
        body += "\nEND\n"
    return body


def _of_listing(text: str) -> str:
    """Primary header of a listing; all its headers joined when the primary names no instrument."""
    if "\nXTENSION" not in text:
        return text
    normal = text.replace("\r\n", "\n")
    parts = [part for part in re.split(r"^(?=SIMPLE  *=|XTENSION *=)", normal, flags=re.MULTILINE) if part]
    parts = [part for part in parts if part.startswith(("SIMPLE", "XTENSION"))]
    if not parts:
        return text
    closed = bool(_END.search(parts[-1]))
    bodies = [_END.split(part)[0].strip("\n") for part in parts]
    if re.search(r"^INSTRUME *=", bodies[0], re.MULTILINE):
        bodies = bodies[:1]
        closed = closed or len(parts) > 1
    return "\n".join(bodies) + ("\nEND\n" if closed else "\n")
