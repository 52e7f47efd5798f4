from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile
from hypothesis import given, settings
from pyvo.dal.exceptions import DALQueryError
from pyvo.dal.query import DALResults
from sample_tables import COLUMNS, batch_of, document, real_table, same_double, tables, xml_survivor

from obsportal.serialise import Column, CooSys, SerialiseError, TimeSys, error_document, write_votable
from obsportal.serialise.votable import LATE_ERROR

WAYS = {
    "contract": {"dialect": "contract"},
    "ivoa": {"dialect": "ivoa"},
    "binary2": {"dialect": "ivoa", "serialisation": "binary2"},
}
all_ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


def astropy_read(data: bytes) -> VOTableFile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parse(io.BytesIO(data))


def as_astropy_reads(text: str | None, *, binary: bool) -> str:
    """Its XML reader cuts white space off both ends of a cell; BINARY2 keeps it."""
    kept = xml_survivor(text)
    return kept if binary else kept.strip(" \t\r\n")


def assert_same_values(read: np.ma.MaskedArray, rows: list[tuple], way: dict[str, str]) -> None:
    binary, contract = "serialisation" in way, way["dialect"] == "contract"
    assert len(read) == len(rows)
    for index, column in enumerate(COLUMNS):
        for value, found, hidden in zip(
            (row[index] for row in rows),
            read[column.name].data.tolist(),
            read[column.name].mask.tolist(),
            strict=True,
        ):
            if column.datatype == "unicodeChar":
                assert found == as_astropy_reads(value, binary=binary)
            elif value is None and column.datatype == "double":
                assert np.isnan(found)
                assert contract or hidden
            elif value is None:
                assert hidden
            elif column.datatype == "double":
                assert same_double(found, value)
            else:
                assert (found, hidden) == (value, False)


@all_ways
@given(table=tables)
@settings(max_examples=40, deadline=None)
def test_astropy_reads_back_equal_values(way: dict[str, str], table: list[tuple]) -> None:
    read = astropy_read(document(write_votable([batch_of(table)], COLUMNS, **way)))
    array = read.get_first_table().array
    assert_same_values(array, table, way)


@all_ways
@given(table=tables)
@settings(max_examples=20, deadline=None)
def test_pyvo_reads_back_equal_values(way: dict[str, str], table: list[tuple]) -> None:
    results = DALResults(astropy_read(document(write_votable([batch_of(table)], COLUMNS, **way))))
    assert results.fieldnames == tuple(column.name for column in COLUMNS)
    assert len(results) == len(table)
    binary = "serialisation" in way
    notes = [as_astropy_reads(row[5], binary=binary) for row in table]
    assert [row["note"] for row in results] == notes
    for found, row in zip(results, table, strict=True):
        assert row[1] is None or same_double(float(found["ra"]), row[1])


@pytest.mark.parametrize("dialect", ["contract", "ivoa"])
@given(table=tables)
@settings(max_examples=60)
def test_an_xml_parser_reads_back_the_text_to_the_last_blank(dialect: str, table: list[tuple]) -> None:
    root = ElementTree.fromstring(document(write_votable([batch_of(table)], COLUMNS, dialect=dialect)))
    read = [(row[0].text or "", row[5].text or "") for row in root.iter(_tag(root, "TR"))]
    assert read == [(xml_survivor(row[0]), xml_survivor(row[5])) for row in table]


@all_ways
def test_more_rows_than_one_batch_are_read_back(way: dict[str, str]) -> None:
    table = [(f"é{n}", n / 7, n, n * 2**33, n % 2 == 0, None) for n in range(2500)]
    batch = batch_of(table)
    parts = [batch.slice(0, 7), batch.slice(7, 0), batch.slice(7, 1001), batch.slice(1008)]
    array = astropy_read(document(write_votable(parts, COLUMNS, **way))).get_first_table().array
    assert_same_values(array, table, way)


@all_ways
@pytest.mark.parametrize("batches", [[], [batch_of([])]], ids=["no batch", "an empty batch"])
def test_an_empty_table_keeps_its_fields(way: dict[str, str], batches: list[pa.RecordBatch]) -> None:
    table = astropy_read(document(write_votable(batches, COLUMNS, **way))).get_first_table()
    assert [field.name for field in table.fields] == [column.name for column in COLUMNS]
    assert len(table.array) == 0


def test_the_contract_dialect_repeats_a_real_answer_byte_for_byte(shared_data: Path) -> None:
    path = shared_data / "aspro" / "obsportal" / "obsportal-dev-spica.votable.xml"
    columns, params, batch = real_table(path)
    assert batch.num_rows == 3
    assert document(write_votable([batch], columns, dialect="contract", params=params)) == path.read_bytes()


def test_the_contract_dialect_repeats_the_values_of_an_older_answer(shared_data: Path) -> None:
    path = shared_data / "aspro" / "obsportal" / "search.votable.xml"
    columns, _, batch = real_table(path)
    assert (batch.num_rows, batch.num_columns) == (8, 21)
    written = ElementTree.fromstring(document(write_votable([batch], columns, dialect="contract")))
    real = ElementTree.parse(path).getroot()
    for tag in ("FIELD", "TD"):
        pairs = zip(written.iter(_tag(written, tag)), real.iter(_tag(real, tag)), strict=True)
        assert all((a.text, a.attrib) == (b.text, b.attrib) for a, b in pairs)
    assert written.attrib == real.attrib
    assert written.tag == real.tag


def _tag(root: ElementTree.Element, name: str) -> str:
    return root.tag.removesuffix("VOTABLE") + name


def test_the_contract_dialect_spells_missing_values_as_its_readers_expect() -> None:
    data = document(write_votable([batch_of([(None,) * 6])], COLUMNS, dialect="contract"))
    row = "<TR>\n<TD/>\n<TD>NaN</TD>\n<TD/>\n<TD/>\n<TD/>\n<TD/>\n</TR>\n"
    assert row.encode() in data


def test_the_ivoa_dialect_declares_its_namespace_status_systems_and_fields() -> None:
    columns = [
        Column("ra", "double", "deg", "pos.eq.ra", "Right ascension of A & B", utype="a:b.c", ref="icrs"),
        Column("t", "unicodeChar", xtype="timestamp", arraysize="26*", ref="utc"),
    ]
    systems = [CooSys("icrs"), TimeSys("utc")]
    data = document(
        write_votable([], columns, dialect="ivoa", systems=systems, params={"QUERY": 'SELECT "a" < 1'})
    )
    root = ElementTree.fromstring(data)
    assert root.tag == "{http://www.ivoa.net/xml/VOTable/v1.3}VOTABLE"
    assert root.get("version") == "1.4"
    assert [child.tag.partition("}")[2] for child in root[0]] == [
        "INFO",
        "INFO",
        "COOSYS",
        "TIMESYS",
        "TABLE",
    ]
    assert root[0][0].attrib == {"name": "QUERY_STATUS", "value": "OK"}
    assert root[0][1].attrib == {"name": "QUERY", "value": 'SELECT "a" < 1'}
    read = astropy_read(data)
    ra, t = read.get_first_table().fields
    assert (ra.unit, ra.ucd, ra.utype, ra.ref) == ("deg", "pos.eq.ra", "a:b.c", "icrs")
    assert ra.description == "Right ascension of A & B"
    assert (t.xtype, t.arraysize) == ("timestamp", "26*")
    assert [system.ID for system in read.iter_coosys()] == ["icrs"]
    assert read.version == "1.4"


@pytest.mark.parametrize(
    ("maxrec", "rows", "overflow"), [(2, 2, True), (5, 5, True), (6, 6, False), (0, 0, True)]
)
@pytest.mark.parametrize("way", ["ivoa", "binary2"])
def test_overflow_is_reported_only_if_a_row_was_dropped(
    way: str, maxrec: int, rows: int, overflow: bool
) -> None:
    batch = batch_of([(str(n), 1.0, n, n, True, "") for n in range(3)])
    data = document(write_votable([batch, batch], COLUMNS, maxrec=maxrec, **WAYS[way]))
    results = DALResults(astropy_read(data))
    assert len(results) == rows
    statuses = [e.get("value") for e in ElementTree.fromstring(data)[0] if e.get("name") == "QUERY_STATUS"]
    assert statuses == ["OK", "OVERFLOW"] if overflow else ["OK"]


def _failing_after(rows: int) -> Iterator[pa.RecordBatch]:
    if rows:
        yield batch_of([("x", 1.0, 1, 1, True, "")] * rows)
    raise ConnectionError("the database went away")


@all_ways
def test_a_failure_before_the_first_row_is_raised_before_any_byte(way: dict[str, str]) -> None:
    with pytest.raises(ConnectionError):
        next(write_votable(_failing_after(0), COLUMNS, **way))


@pytest.mark.parametrize("way", ["ivoa", "binary2"])
@pytest.mark.parametrize("rows", [1, 5000])
def test_a_late_failure_ends_an_ivoa_document_with_an_error(
    way: str, rows: int, caplog: pytest.LogCaptureFixture
) -> None:
    data = document(write_votable(_failing_after(rows), COLUMNS, **WAYS[way]))
    infos = [e for e in ElementTree.fromstring(data)[0] if e.get("name") == "QUERY_STATUS"]
    assert [(e.get("value"), e.text) for e in infos] == [("OK", None), ("ERROR", LATE_ERROR)]
    assert len(astropy_read(data).get_first_table().array) == rows
    assert "the database went away" in caplog.text


def test_a_late_failure_in_the_contract_dialect_is_raised() -> None:
    chunks = write_votable(_failing_after(5000), COLUMNS, dialect="contract")
    sent = next(chunks)
    with pytest.raises(ConnectionError):
        document(chunks)
    assert b"</VOTABLE>" not in sent


def test_a_batch_that_does_not_fit_late_in_the_stream_is_such_a_failure() -> None:
    good = batch_of([("x", 1.0, 1, 1, True, "")])
    data = document(write_votable([good, good.select([0])], COLUMNS, dialect="ivoa"))
    assert b'value="ERROR"' in data


def test_pyvo_reports_an_error_document_with_its_message() -> None:
    read = astropy_read(error_document("RA is <missing> & wanted", "ivoa"))
    with pytest.raises(DALQueryError, match="RA is <missing> & wanted"):
        DALResults(read)


def test_an_error_in_the_contract_dialect_is_a_status_parameter() -> None:
    root = ElementTree.fromstring(error_document('no "ra"', "contract"))
    params = {param.get("name"): param.get("value") for param in root[0]}
    assert params == {"status": "ERROR", "message": 'no "ra"'}


@pytest.mark.parametrize(
    "extra", [{"serialisation": "binary2"}, {"maxrec": 3}, {"systems": [CooSys("icrs")]}]
)
def test_the_contract_dialect_has_no_ivoa_parts(extra: dict) -> None:
    with pytest.raises(SerialiseError, match="IVOA dialect"):
        write_votable([], COLUMNS, dialect="contract", **extra)


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(ValueError, match="html"):
        write_votable([], COLUMNS, dialect="html")
