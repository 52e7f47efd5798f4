"""Arrow record batches to VOTable, CSV, TSV and JSON, streamed."""

from obsportal.serialise.columns import Column, SerialiseError, arrow_schema
from obsportal.serialise.delimited import write_csv, write_tsv
from obsportal.serialise.formats import FORMATS, Format
from obsportal.serialise.json import write_json
from obsportal.serialise.votable import (
    CooSys,
    Dialect,
    Serialisation,
    TimeSys,
    error_document,
    write_votable,
)

__all__ = [
    "FORMATS",
    "Column",
    "CooSys",
    "Dialect",
    "Format",
    "Serialisation",
    "SerialiseError",
    "TimeSys",
    "arrow_schema",
    "error_document",
    "write_csv",
    "write_json",
    "write_tsv",
    "write_votable",
]
