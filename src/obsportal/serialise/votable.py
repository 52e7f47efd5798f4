"""VOTable writers: the observation portal's own dialect, and the IVOA's (TABLEDATA and BINARY2)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import lru_cache

import pyarrow as pa

from obsportal.serialise.binary2 import binary2_chunks
from obsportal.serialise.columns import Column, SerialiseError, check_columns
from obsportal.serialise.rows import CellFormat, RowFormat, gathered, row_chunks
from obsportal.serialise.text_rules import XML_TEXT, xml_attribute, xml_content

logger = logging.getLogger(__name__)

LATE_ERROR = "The result is incomplete: the server failed while it was being written."


class Dialect(StrEnum):
    """Which readers the document is for.

    CONTRACT is what ASPRO2 and OiDB read from an observation portal: namespace v1.4, PARAMs, NaN for a
    missing double. IVOA is VOTable 1.4 with DALI's INFO elements; its namespace really is v1.3.
    """

    CONTRACT = "contract"
    IVOA = "ivoa"


class Serialisation(StrEnum):
    """How the rows are written."""

    TABLEDATA = "tabledata"
    BINARY2 = "binary2"


NAMESPACES = {
    Dialect.CONTRACT: "http://www.ivoa.net/xml/VOTable/v1.4",
    Dialect.IVOA: "http://www.ivoa.net/xml/VOTable/v1.3",
}


@dataclass(frozen=True, slots=True)
class CooSys:
    """A coordinate system that columns name by `ref`."""

    ID: str
    system: str = "ICRS"
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class TimeSys:
    """A time system that columns name by `ref`."""

    ID: str
    timescale: str = "UTC"
    refposition: str = "TOPOCENTER"
    timeorigin: str = "MJD-origin"


def write_votable(
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[Column],
    *,
    dialect: Dialect | str,
    params: Mapping[str, str] | None = None,
    serialisation: Serialisation | str = Serialisation.TABLEDATA,
    systems: Sequence[CooSys | TimeSys] = (),
    maxrec: int | None = None,
) -> Iterator[bytes]:
    """A VOTable document as chunks of bytes, with flat memory.

    `params` become PARAMs (contract) or INFOs after QUERY_STATUS (IVOA). With `maxrec` (IVOA only) at most
    that many rows are written and OVERFLOW is reported if there was at least one more.
    The first batch is fetched before the first byte, so that an early failure can still become an error
    answer. A later failure ends an IVOA document with QUERY_STATUS ERROR (and is logged), and is raised in
    the contract dialect, whose readers know no such mark: the connection must then be cut.
    """
    dialect, serialisation = Dialect(dialect), Serialisation(serialisation)
    check_columns(columns)
    if dialect is Dialect.CONTRACT:
        if serialisation is not Serialisation.TABLEDATA or systems or maxrec is not None:
            raise SerialiseError("dialect", "binary rows, systems and maxrec need the IVOA dialect")
        return gathered(_contract_document(batches, columns, params or {}))
    limit = _Limit(batches, maxrec)
    return gathered(_ivoa_document(limit, columns, params or {}, serialisation, systems))


def error_document(message: str, dialect: Dialect | str = Dialect.IVOA) -> bytes:
    """A document without table that says what went wrong, for an error known before the first row."""
    dialect = Dialect(dialect)
    if dialect is Dialect.CONTRACT:
        status = _params({"status": "ERROR", "message": message})
    else:
        status = f'  <INFO name="QUERY_STATUS" value="ERROR">{xml_content(message)}</INFO>\n'
    return (_opening(dialect) + status + " </RESOURCE>\n</VOTABLE>\n").encode()


def _contract_document(
    batches: Iterable[pa.RecordBatch], columns: Sequence[Column], params: Mapping[str, str]
) -> Iterator[bytes]:
    rows = row_chunks(batches, _row_format(columns, missing_double="NaN"))
    first = next(rows, b"")
    table = "".join(_contract_field(column) for column in columns)
    head = _opening(Dialect.CONTRACT) + _params(params) + f"  <TABLE>\n{table}   <DATA>\n    <TABLEDATA>\n"
    yield head.encode()
    yield first
    yield from rows
    yield b"    </TABLEDATA>\n   </DATA>\n  </TABLE>\n </RESOURCE>\n</VOTABLE>"


def _ivoa_document(
    limit: _Limit,
    columns: Sequence[Column],
    params: Mapping[str, str],
    serialisation: Serialisation,
    systems: Sequence[CooSys | TimeSys],
) -> Iterator[bytes]:
    if serialisation is Serialisation.BINARY2:
        rows = binary2_chunks(limit, columns)
        data = ('    <BINARY2>\n     <STREAM encoding="base64">\n', "     </STREAM>\n    </BINARY2>\n")
    else:
        rows = row_chunks(limit, _row_format(columns))
        data = ("    <TABLEDATA>\n", "    </TABLEDATA>\n")
    first = next(rows, b"")
    yield (_ivoa_head(columns, params, systems) + data[0]).encode()
    yield first
    status = ""
    try:
        yield from rows
    except Exception:
        logger.exception("a VOTable was broken off after its first rows")
        status = f'  <INFO name="QUERY_STATUS" value="ERROR">{LATE_ERROR}</INFO>\n'
    if limit.overflow and not status:
        status = '  <INFO name="QUERY_STATUS" value="OVERFLOW"/>\n'
    yield f"{data[1]}   </DATA>\n  </TABLE>\n{status} </RESOURCE>\n</VOTABLE>\n".encode()


def _ivoa_head(
    columns: Sequence[Column], params: Mapping[str, str], systems: Sequence[CooSys | TimeSys]
) -> str:
    infos = {"QUERY_STATUS": "OK", **params}
    lines = [_element("  ", "INFO", {"name": name}, {"value": value}) for name, value in infos.items()]
    for system in systems:
        attributes = {field.name: getattr(system, field.name) for field in fields(system)}
        lines.append(_element("  ", type(system).__name__.upper(), attributes))
    lines.append("  <TABLE>\n")
    lines += [_ivoa_field(column) for column in columns]
    return _opening(Dialect.IVOA) + "".join(lines) + "   <DATA>\n"


def _row_format(columns: Sequence[Column], missing_double: str | None = None) -> RowFormat:
    return RowFormat(
        columns=columns,
        cells=[CellFormat(opening="<TD>", closing="</TD>\n")] * len(columns),
        text=XML_TEXT,
        row_opening="<TR>\n",
        row_closing="</TR>\n",
        null="<TD/>\n",
        missing_double=missing_double,
        empty_is_null=True,
    )


def _opening(dialect: Dialect) -> str:
    namespace = NAMESPACES[dialect]
    schema = f' xsi:noNamespaceSchemaLocation="{namespace}"' if dialect is Dialect.CONTRACT else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<VOTABLE version="1.4" xmlns="{namespace}" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"{schema}>\n'
        ' <RESOURCE type="results">\n'
    )


def _params(params: Mapping[str, str]) -> str:
    text = {"arraysize": "*", "datatype": "unicodeChar"}
    return "".join(
        _element("  ", "PARAM", {"ID": name, **text, "name": name}, {"value": value})
        for name, value in params.items()
    )


@lru_cache(maxsize=4096)
def _contract_field(column: Column) -> str:
    return _element("   ", "FIELD", {"ID": column.name, **_attributes(column)})


@lru_cache(maxsize=4096)
def _ivoa_field(column: Column) -> str:
    extra = {"ref": column.ref, "utype": column.utype, "xtype": column.xtype}
    element = _element("   ", "FIELD", {**_attributes(column), **extra})
    if not column.description:
        return element
    inner = f"    <DESCRIPTION>{xml_content(column.description)}</DESCRIPTION>\n"
    return f"{element[:-3]}>\n{inner}   </FIELD>\n"


def _attributes(column: Column) -> dict[str, str]:
    return {
        "arraysize": column.arraysize,
        "datatype": column.datatype,
        "name": column.name,
        "ucd": column.ucd,
        "unit": column.unit,
    }


def _element(
    indent: str, tag: str, optional: Mapping[str, str], required: Mapping[str, str] | None = None
) -> str:
    """An element without content; optional attributes are left out where empty, required ones kept."""
    attributes = {name: value for name, value in optional.items() if value} | dict(required or {})
    spelled = "".join(f' {name}="{xml_attribute(value)}"' for name, value in attributes.items())
    return f"{indent}<{tag}{spelled}/>\n"


class _Limit:
    """Hands on at most `maxrec` rows of the batches and notes whether there were more."""

    def __init__(self, batches: Iterable[pa.RecordBatch], maxrec: int | None) -> None:
        self.batches = batches
        self.maxrec = maxrec
        self.overflow = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self.maxrec is None:
            yield from self.batches
            return
        left = self.maxrec
        for batch in self.batches:
            if batch.num_rows > left:
                self.overflow = True
                yield batch.slice(0, left)
                return
            left -= batch.num_rows
            yield batch
