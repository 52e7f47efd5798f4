"""How text is made safe for XML, CSV, TSV and JSON: a whole Arrow column at once, or one cell."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from json.encoder import encode_basestring

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLANK = 0x20
HIGHEST_ASCII = 0x7F
BLOCK_BYTES = 128 * 1024
FIRST_BYTE_OF_NONCHARACTERS = 0xEF


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A text column together with the facts that decide which repairs it needs."""

    array: pa.Array
    found: frozenset[str]
    lowest: int
    highest: int

    @property
    def has_controls(self) -> bool:
        """Whether a byte below the blank occurs."""
        return self.lowest < BLANK

    def has(self, *signs: str) -> bool:
        """Whether any of the signs that were looked for occurs."""
        return not self.found.isdisjoint(signs)


@dataclass(frozen=True, slots=True)
class TextRule:
    """Makes text safe for one format; both functions give the same text.

    `signs` are the ASCII characters that `column` must know of.
    """

    signs: str
    column: Callable[[TextColumn], pa.Array]
    cell: Callable[[str], str]

    def apply(self, array: pa.Array) -> pa.Array:
        """The column made safe; the same object where nothing needs to change."""
        return self.column(inspect_text(array, self.signs))


def offsets_of(array: pa.Array) -> np.ndarray:
    """The n+1 offsets of a text array into its data buffer, as int32 without a copy."""
    buffer = array.buffers()[1]
    if len(array) == 0 or buffer is None:
        return np.zeros(len(array) + 1, dtype=np.int32)
    return np.frombuffer(buffer, dtype=np.int32)[array.offset : array.offset + len(array) + 1]


def data_of(array: pa.Array) -> bytes:
    """The bytes of all cells of a text array, one after the other."""
    offsets = offsets_of(array)
    buffer = array.buffers()[2]
    start, stop = int(offsets[0]), int(offsets[-1])
    return buffer.slice(start, stop - start).to_pybytes() if stop > start else b""


def inspect_text(array: pa.Array, signs: str = "") -> TextColumn:
    """Look once at every byte of a column, and for the ASCII characters in `signs`.

    Cells that are not UTF-8 get replacement characters where they are broken.
    """
    offsets = offsets_of(array)
    start, stop = int(offsets[0]), int(offsets[-1])
    lowest, highest = BLANK, BLANK
    found: set[str] = set()
    for begin in range(start, stop, BLOCK_BYTES):
        block = array.buffers()[2].slice(begin, min(BLOCK_BYTES, stop - begin)).to_pybytes()
        seen = np.frombuffer(block, dtype=np.uint8)
        lowest, highest = min(lowest, int(seen.min())), max(highest, int(seen.max()))
        found |= {sign for sign in signs if sign not in found and sign.encode() in block}
    if highest > HIGHEST_ASCII:
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            cells = pc.cast(array, pa.binary()).to_pylist()
            mended = [None if cell is None else cell.decode("utf-8", "replace") for cell in cells]
            return inspect_text(pa.array(mended, pa.string()), signs)
    return TextColumn(array, frozenset(found), lowest, highest)


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN_RE2 = r"[\x{0}-\x{8}\x{b}\x{c}\x{e}-\x{1f}\x{fffe}\x{ffff}]"
_XML_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))
_ATTRIBUTE_ENTITIES = (*_XML_ENTITIES, ('"', "&quot;"), ("\n", "&#10;"), ("\t", "&#9;"))


def without_forbidden(text: TextColumn) -> pa.Array:
    """The column without the characters that XML 1.0 cannot hold (section 2.2 of its recommendation)."""
    if text.has_controls or (text.highest >= FIRST_BYTE_OF_NONCHARACTERS and _has_noncharacters(text)):
        return pc.replace_substring_regex(text.array, _FORBIDDEN_RE2, "")
    return text.array


def _has_noncharacters(text: TextColumn) -> bool:
    data = data_of(text.array)
    return "\ufffe".encode() in data or "\uffff".encode() in data


def permitted(text: str) -> str:
    """One string without the characters that XML 1.0 cannot hold."""
    return text if text.isprintable() else _FORBIDDEN.sub("", text)


def _xml_column(text: TextColumn) -> pa.Array:
    return _replaced(without_forbidden(text), text, _XML_ENTITIES)


def xml_content(text: str) -> str:
    """One string made safe as the content of an element."""
    if "&" in text or "<" in text or ">" in text or not text.isprintable():
        return _escaped(text, _XML_ENTITIES)
    return text


def xml_attribute(text: str) -> str:
    """One string made safe between double quotes, with its line ends and tabs kept."""
    if '"' in text or not text.isprintable():
        return _escaped(text, _ATTRIBUTE_ENTITIES)
    return xml_content(text)


def _csv_column(text: TextColumn) -> pa.Array:
    has_quotes = text.has('"')
    if not (has_quotes or text.has(",", "\r", "\n")):
        return text.array
    doubled = pc.replace_substring(text.array, '"', '""') if has_quotes else text.array
    quoted = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(pc.match_substring_regex(text.array, '[",\r\n]'), quoted, text.array)


def _csv_cell(text: str) -> str:
    if "," in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _tsv_column(text: TextColumn) -> pa.Array:
    if not (text.has_controls and text.has("\t", "\r", "\n")):
        return text.array
    return pc.replace_substring_regex(text.array, r"[\t\r\n]", " ")


def _tsv_cell(text: str) -> str:
    return text.replace("\t", " ").replace("\r", " ").replace("\n", " ")


_JSON_ESCAPES = (("\\", "\\\\"), ('"', '\\"'))
_JSON_CONTROLS = tuple((chr(code), json.dumps(chr(code))[1:-1]) for code in range(BLANK))


def _json_column(text: TextColumn) -> pa.Array:
    array = _replaced(text.array, text, _JSON_ESCAPES)
    if not text.has_controls:
        return array
    return _replaced(array, inspect_text(array, "".join(map(chr, range(BLANK)))), _JSON_CONTROLS)


def _json_cell(text: str) -> str:
    return encode_basestring(text)[1:-1]


def _replaced(array: pa.Array, text: TextColumn, table: tuple[tuple[str, str], ...]) -> pa.Array:
    for character, reference in table:
        if text.has(character):
            array = pc.replace_substring(array, character, reference)
    return array


def _escaped(text: str, table: tuple[tuple[str, str], ...]) -> str:
    text = _FORBIDDEN.sub("", text)
    for character, reference in table:
        text = text.replace(character, reference)
    return text


# Characters XML forbids are dropped; `&`, `<`, `>` and the carriage return become references.
XML_TEXT = TextRule("&<>\r", _xml_column, xml_content)
# Quotes stand around exactly the cells that hold a comma, a quote or a line end (RFC 4180).
CSV_TEXT = TextRule('",\r\n', _csv_column, _csv_cell)
# Tabs and line ends become blanks: the format has no way to quote them.
TSV_TEXT = TextRule("\t\r\n", _tsv_column, _tsv_cell)
# Backslashes, quotes and control characters are escaped; everything else stays UTF-8.
JSON_TEXT = TextRule('"\\', _json_column, _json_cell)
