"""The header reader against astropy on every real header, and against what no writer should write."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.io.fits.card import Undefined
from hypothesis import given, settings
from hypothesis import strategies as st

from obsportal.formats.fits_header import MAX_CARD, MAX_HEADER, Header, HeaderError, parse_value

FIRST = "SIMPLE  =                    T / conforms to FITS standard"


def cards(*lines: str) -> str:
    return "".join(f"{line:<80}" for line in (FIRST, *lines, "END"))


def lines(*wanted: str) -> str:
    return "\n".join((FIRST, *wanted, "END", ""))


def real_files(shared_data: Path) -> list[Path]:
    found = sorted(p for p in (shared_data / "headers").glob("*/*.hdr") if p.parent.name != "CHARA")
    assert len(found) == 114
    return found


FORMS = {
    "lines": lambda text: text,
    "cards": lambda text: text.replace("\n", ""),
    "bytes": lambda text: text.replace("\n", "").encode("latin-1"),
    "cut": lambda text: "\r\n".join(line.rstrip() for line in text.split("\n")),
}


@pytest.fixture(scope="module")
def astropys_values(shared_data: Path) -> dict[Path, dict[str, object]]:
    """Every keyword and value of every real header as astropy reads it."""
    found = {}
    for path in real_files(shared_data):
        text = path.read_text(encoding="latin-1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = fits.Header.fromstring(text.rstrip("\n"), sep="\n")
            names = [k for k in dict.fromkeys(theirs.keys()) if k not in ("COMMENT", "HISTORY", "")]
            found[path] = {k: None if isinstance(theirs[k], Undefined) else theirs[k] for k in names}
    return found


@pytest.mark.parametrize("form", FORMS)
def test_every_value_of_every_real_header_equals_that_of_astropy(
    astropys_values: dict[Path, dict[str, object]], form: str
) -> None:
    for path, expected in astropys_values.items():
        header = Header.parse(FORMS[form](path.read_text(encoding="latin-1")))
        found = {k: header.get(k) for k in header.keywords()}
        assert list(found) == list(expected), path.name
        assert found == expected, path.name
        assert [type(v) for v in found.values()] == [type(v) for v in expected.values()], path.name
    assert sum(map(len, astropys_values.values())) > 100_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("                    T / yes", True),
        ("                    F", False),
        (" 4 / telescopes", 4),
        (" +7", 7),
        (" 007", 7),
        (" 1.800000e-02 / lower case", 0.018),
        (" 1.5D3 / Fortran", 1500.0),
        (" - 2.5 E -3", -0.0025),
        (" .5", 0.5),
        (" 30.", 30.0),
        (" 'HD 1234 ' / name", "HD 1234"),
        (" '  leading'", "  leading"),
        (" 'it''s a star' / comment", "it's a star"),
        (" 'O'Brien' / wrongly written", "O'Brien"),
        (" '''quoted'''", "'quoted'"),
        (" 'a / slash' / comment", "a / slash"),
        (" 'a / slash'' / b'", "a / slash'"),
        (" ''", ""),
        (" '        '", ""),
        ("", None),
        ("   / only a comment", None),
        (" NaN / no FITS value", "NaN"),
        (" 2020-01-01 / a date without quotes", "2020-01-01"),
        (" 1_000", "1_000"),
        (" 'unclosed", "'unclosed"),
        (" (1.0, 2.0)", "(1.0, 2.0)"),
    ],
)
def test_the_value_of_a_card_is_read_by_its_own_grammar(field: str, value: object) -> None:
    found = parse_value(field)
    assert found == value
    assert type(found) is type(value)


def test_the_first_of_several_cards_of_a_keyword_counts_wherever_it_stands() -> None:
    text = lines(
        "HIERARCH ESO OBS ID = 900 / first", "RA      = 2.0", "HIERARCH ESO OBS ID = 100", "RA = 1.0"
    )
    header = Header.parse(text)
    assert header.get("ESO OBS ID") == 900
    assert header.get("RA") == 2.0
    assert list(header.keywords()).count("ESO OBS ID") == 1


@pytest.mark.parametrize(
    "card",
    [
        "HIERARCH ESO ISS REF RA = 72556.09 / one blank",
        "HIERARCH ESO ISS REF RA=      72556.09",
        "HIERARCH ESO ISS REF RA        =  72556.09",
        "HIERARCH   ESO ISS REF RA = 72556.09",
    ],
)
def test_a_hierarch_keyword_is_found_however_its_card_is_spaced(card: str) -> None:
    header = Header.parse(lines("HIERARCH ESO ISS REF RADIUS = 1", "HIERARCH ESO ISS REF RA 2ND = 3", card))
    assert header.get("ESO ISS REF RA") == 72556.09
    assert header.number("eso iss ref ra") == 72556.09
    assert "ESO ISS REF RA" in header
    assert "ESO ISS REF" not in header
    assert 5 not in header


def test_long_strings_are_continued_and_an_ampersand_alone_is_kept() -> None:
    header = Header.parse(
        cards(
            "TITLE   = 'A long &'",
            "CONTINUE  'story, &' / first",
            "CONTINUE  'ended' / second",
            "NAME    = 'A&'",
        )
    )
    assert header.get("TITLE") == "A long story, ended"
    assert header.text("TITLE") == "A long story, ended"
    assert header.get("NAME") == "A&"


def test_typed_readers_give_none_or_the_default_for_what_is_not_of_their_kind() -> None:
    values = ["'text'", "1.5", "T", "", "1e999", "NaN", "'12.5 '", "3.0", "'   '", "inf", "1.0D2"]
    header = Header.parse(
        lines(*(f"{k:<8}= {value}" for k, value in zip("ABCDEFGHIJK", values, strict=True)))
    )
    assert [header.number(k) for k in "ABCDEFGHIJKZ"] == [
        None, 1.5, None, None, None, None, 12.5, 3.0, None, None, 100.0, None,
    ]  # fmt: skip
    assert [header.integer(k) for k in "ABGHZ"] == [None, None, None, 3, None]
    assert [header.text(k, "?") for k in "ABCDIZ"] == ["text", "1.5", "True", "?", "?", "?"]
    assert header.get("Z", "missing") == "missing"
    assert header.get("D", "missing") is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty-file"),
        (b" \n \0\0", "empty-file"),
        (b"\x00\x01\x02PK", "not-a-header"),
        ("Dear observer,\nyour data are ready.\n", "not-a-header"),
        (cards("RA      = 1.0")[:-80], "truncated"),
        (lines("RA      = 1.0").replace("END", "ENDING"), "truncated"),
        (lines("RA      = '" + "x" * MAX_CARD + "'"), "card-too-long"),
        (b"SIMPLE  =" + b" " * MAX_HEADER, "too-large"),
    ],
)
def test_text_that_is_no_header_is_refused_with_a_code(data: bytes | str, code: str) -> None:
    with pytest.raises(HeaderError) as caught:
        Header.parse(data)
    assert caught.value.code == code
    assert str(caught.value)


def test_a_card_of_five_thousand_characters_is_read_whole() -> None:
    header = Header.parse(lines("HIERARCH ESO OBS NAME = '" + "x" * 5000 + "' / widened", "RA      = 1.0"))
    assert header.text("ESO OBS NAME") == "x" * 5000
    assert header.number("RA") == 1.0


def test_only_the_first_header_of_a_text_is_read() -> None:
    header = Header.parse(lines("RA      = 1.0") + "XTENSION= 'BINTABLE'\nDEC     = 2.0\nEND\n")
    assert header.number("RA") == 1.0
    assert "DEC" not in header
    assert "DEC" not in set(header.keywords())


def test_a_hundred_megabytes_of_cards_are_refused_at_once() -> None:
    with pytest.raises(HeaderError) as caught:
        Header.parse(b"COMMENT x " * 10_000_000)
    assert caught.value.code == "too-large"


KEYWORDS = ["RA", "DATE-OBS", "ESO ISS CONF NTEL", "ESO OBS TARG NAME", "EXPTIME", "CONTINUE", "", "É"]
CARD_TEXT = st.text(st.characters(max_codepoint=255), max_size=90)
STARTS = st.sampled_from(
    ["RA      = ", "HIERARCH ESO ISS CONF NTEL = ", "CONTINUE  '", "EXPTIME = '", "END", ""]
)


@given(st.lists(st.tuples(STARTS, CARD_TEXT), max_size=20), st.booleans(), st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_text_makes_the_reader_raise_anything_but_a_header_error(
    parts: list[tuple[str, str]], newlines: bool, garbage: bytes
) -> None:
    body = [start + text for start, text in parts]
    text = "\n".join([FIRST, *body, "END"]) if newlines else cards(*body)
    for data in (text, text.encode("latin-1"), text.encode("latin-1") + garbage, garbage):
        header = header_or_none(data)
        for keyword in [*KEYWORDS, *header.keywords()] if header else []:
            header.get(keyword)
            header.text(keyword)
            assert header.number(keyword) is None or abs(header.number(keyword) or 0.0) < 1e300
            header.integer(keyword)


def header_or_none(data: bytes | str) -> Header | None:
    try:
        return Header.parse(data)
    except HeaderError:
        return None


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=67))
@settings(max_examples=200, deadline=None)
def test_a_string_written_by_astropy_reads_back(text: str) -> None:
    keyword = "ESO OBS NAME" if len(text) < 50 else "NAME"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = fits.Header([(keyword, text)])
        written = theirs.tostring(padding=False)
        expected = fits.Header.fromstring(written)[keyword]
    assert Header.parse(f"{FIRST:<80}" + written).get(keyword) == expected
