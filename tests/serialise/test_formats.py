from __future__ import annotations

import pytest
from sample_tables import COLUMNS, batch_of, document

from obsportal.serialise import FORMATS


@pytest.mark.parametrize(
    ("name", "media_type", "extension", "start"),
    [
        ("votable", "application/x-votable+xml", "xml", b'<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE'),
        ("votable/td", "application/x-votable+xml;serialization=TABLEDATA", "xml", b"<?xml"),
        ("votable/b2", "application/x-votable+xml;serialization=BINARY2", "xml", b"<?xml"),
        ("csv", "text/csv; charset=utf-8", "csv", b"name,"),
        ("tsv", "text/tab-separated-values", "tsv", b"name\t"),
        ("json", "application/json", "json", b'{"status": "OK"'),
    ],
)
def test_each_format_names_its_type_and_writes(
    name: str, media_type: str, extension: str, start: bytes
) -> None:
    form = FORMATS[name]
    assert (form.name, form.media_type, form.extension) == (name, media_type, extension)
    batch = batch_of([("x", 1.0, 1, 1, True, "")])
    assert document(form.writer([batch], COLUMNS, params={"status": "OK"})).startswith(start)


def test_the_plain_votable_is_the_one_of_the_contract() -> None:
    text = document(FORMATS["votable"].writer([], COLUMNS, params={"status": "OK"}))
    assert b'xmlns="http://www.ivoa.net/xml/VOTable/v1.4"' in text
    assert b'<PARAM ID="status"' in text


@pytest.mark.parametrize("name", FORMATS)
def test_a_small_answer_is_one_chunk(name: str) -> None:
    batch = batch_of([("x", 1.0, 1, 1, True, "")] * 10)
    assert len(list(FORMATS[name].writer([batch], COLUMNS))) == 1
