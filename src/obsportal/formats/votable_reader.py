"""VOTable (TABLEDATA) -> plain rows, streaming and safe: no entities, no network, memory flat.

Reads the first table of a document of any VOTable version. Standard: IVOA VOTable 1.5; the meaning of
QUERY_STATUS: IVOA DALI 1.1, section 4.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

Value = str | int | float | bool | None
_INTEGERS = frozenset({"unsignedByte", "short", "int", "long"})
_FLOATS = frozenset({"float", "double"})
MAX_FIELDS = 2000


class VOTableError(ValueError):
    """A document that is no usable VOTable, or that says the query failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column as the document declares it."""

    name: str
    datatype: str
    arraysize: str = ""
    unit: str = ""
    null: str = ""
    """Text that stands for no value."""

    def value(self, text: str) -> Value:
        """A cell's text as a value; None for an empty cell or NaN. Raises VOTableError."""
        plain = text.strip()
        if self.datatype in ("char", "unicodeChar"):
            return text if plain else None
        if not plain or plain == self.null or plain.lower() == "nan":
            return None
        if self.arraysize not in ("", "1"):
            return plain
        try:
            if self.datatype in _INTEGERS:
                return int(plain, 0) if plain.lower().startswith("0x") else int(plain)
            if self.datatype in _FLOATS:
                return float(plain)
        except ValueError:
            raise VOTableError(f"column {self.name} is {self.datatype} but holds {plain[:40]!r}") from None
        if self.datatype == "boolean":
            return {"t": True, "1": True, "true": True, "f": False, "0": False, "false": False}.get(
                plain.lower()
            )
        return text


class VOTableReader:
    """The rows of a document's first table, as dictionaries by column name, while it is read.

    ``fields`` and ``params`` are complete when the first row (or the end) has come, ``overflow`` when
    the last has: whether the service had more rows than it gave. Raises VOTableError for a document
    that is cut, malformed, of another serialisation, or whose QUERY_STATUS is ERROR.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.fields: list[Field] = []
        self.params: dict[str, str] = {}
        self.overflow = False
        self.status = ""

    def __iter__(self) -> Iterator[dict[str, Value]]:
        try:
            yield from self._rows()
        except ParseError as error:
            raise VOTableError(f"the document is cut or is no VOTable: {error}") from None
        except DefusedXmlException as error:
            raise VOTableError(f"the document is refused: {type(error).__name__}") from None

    def _rows(self) -> Iterator[dict[str, Value]]:
        seen_votable = False
        tables = 0
        body: Element | None = None
        field: dict[str, str] = {}
        null = ""
        for event, element in iterparse(self._file, events=("start", "end")):
            name = _local(element.tag)
            if event == "start":
                if not seen_votable:
                    if name != "VOTABLE":
                        raise VOTableError(f"the document is no VOTable: it begins with <{name[:40]}>")
                    seen_votable = True
                elif name == "TABLE":
                    tables += 1
                elif name == "TABLEDATA":
                    body = element
                elif name in ("BINARY", "BINARY2", "FITS"):
                    raise VOTableError(f"the table is serialised as {name}: TABLEDATA is needed")
                continue
            if name == "TR":
                if tables == 1:
                    yield self._row(element)
                if body is not None:
                    body.clear()
            elif name == "VALUES" and element.get("null"):
                null = element.get("null", "")
            elif name == "FIELD" and tables == 1:
                field = dict(element.attrib)
                self._add_field(field, null)
                null = ""
            elif name == "PARAM":
                self.params[element.get("name", "")] = element.get("value", "")
                null = ""
            elif name == "INFO":
                self._info(element)
        if not seen_votable:
            raise VOTableError("the document is empty")

    def _add_field(self, found: dict[str, str], null: str) -> None:
        if len(self.fields) >= MAX_FIELDS:
            raise VOTableError(f"the table has more than {MAX_FIELDS} columns")
        name = found.get("name") or found.get("ID") or f"column{len(self.fields) + 1}"
        self.fields.append(
            Field(
                name, found.get("datatype", "char"), found.get("arraysize", ""), found.get("unit", ""), null
            )
        )

    def _row(self, element: Element) -> dict[str, Value]:
        cells = list(element)
        if len(cells) != len(self.fields):
            raise VOTableError(f"a row has {len(cells)} cells, the table {len(self.fields)} columns")
        return {
            field.name: field.value(cell.text or "") for field, cell in zip(self.fields, cells, strict=True)
        }

    def _info(self, element: Element) -> None:
        if element.get("name", "").upper() != "QUERY_STATUS":
            return
        self.status = element.get("value", "").upper()
        if self.status == "OVERFLOW":
            self.overflow = True
        elif self.status == "ERROR":
            said = " ".join((element.text or "no reason given").split())
            raise VOTableError(f"the service answered: {said[:300]}")


def _local(tag: Any) -> str:
    return str(tag).rpartition("}")[2]
