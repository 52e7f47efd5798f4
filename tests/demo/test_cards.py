from __future__ import annotations

import pytest
from astropy.io.fits import Header
from hypothesis import given
from hypothesis import strategies as st

from obsportal.demo.cards import CardTemplate, escape

ROWS = [
    ("SIMPLE", "T", "a comment"),
    ("COMMENT", "a remark", ""),
    ("RA", "{ra:20.6f}", "[deg]"),
    ("OBJECT", "'{name:<12.12}'", "who"),
    ("ESO ISS PBL12 START", "{length:8.3f}", "[m] " + "very " * 20),
    ("ESO OBS ID", "{number:08d}", ""),
]


def _template(*frame_fields: str) -> CardTemplate:
    return CardTemplate(ROWS, lambda name: name in frame_fields)


@given(
    ra=st.floats(0, 360, exclude_max=True),
    length=st.floats(0, 999),
    number=st.integers(0, 99_999_999),
    name=st.text(alphabet="ABC abc'*_", min_size=1, max_size=6),
)
def test_filled_cards_have_eighty_columns_and_are_read_back(
    ra: float, length: float, number: int, name: str
) -> None:
    values = {"ra": ra, "length": length, "number": number, "name": escape(name)}
    text = _template("ra", "length").fill_block(values).fill(values)
    assert {len(card) for card in text.rstrip("\n").split("\n")} == {80}
    header = Header.fromstring(text.rstrip("\n"), sep="\n")
    assert header["RA"] == pytest.approx(ra, abs=1e-6)
    assert header["ESO ISS PBL12 START"] == pytest.approx(length, abs=1e-3)
    assert header["ESO OBS ID"] == number
    assert header["OBJECT"] == name.rstrip()


def test_the_order_of_the_two_steps_does_not_change_the_text() -> None:
    values = {"ra": 10.0, "length": 1.5, "number": 7, "name": "x"}
    texts = {
        _template(*open_fields).fill_block(values).fill(values)
        for open_fields in (["ra", "name"], ["number", "length"])
    }
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("ESO A LONG KEYWORD INDEED", "'{x:<60}'", ""), "does not fit"),
        (("COMMENT", "x" * 73, ""), "does not fit"),
        (("AMBI", "1", "[%]"), "per cent"),
    ],
)
def test_a_card_that_cannot_be_written_is_refused(row: tuple[str, str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CardTemplate([row], lambda name: True)
