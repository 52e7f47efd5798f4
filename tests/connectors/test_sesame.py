"""Sesame's answers, and what is not one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sesame_server import ALF_CEN_A, ODD, sesame_server

from obsportal.connectors import sesame
from obsportal.connectors.sesame import SesameError, UnknownNameError


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with sesame_server() as address:
        yield address


@pytest.mark.parametrize("name", ["alf Cen", " alf Cen ", "αCen"])
def test_a_name_becomes_a_star(url: str, name: str):
    found = sesame.resolve(name, url=url)
    assert (found.name, found.ra, found.dec) == ("alf Cen A", 219.902058, -60.833993)
    assert (found.pm_ra, found.pm_dec, found.parallax) == (-3679.25, 473.67, 743.0)
    assert (found.object_type, found.spectral_type) == ("SB*", "G2V")
    assert found.aliases == ("HD 128620", "Rigil Kentaurus")


@pytest.mark.parametrize("name", ["no such star", "a&b=c?d#e/%41", "nowhere"])
def test_an_unknown_name_is_no_failure(url: str, name: str):
    with pytest.raises(UnknownNameError, match="does not know"):
        sesame.resolve(name, url=url)


@pytest.mark.parametrize("name", sorted(ODD.keys() - {"nowhere"}))
def test_what_is_no_answer_is_a_failure_of_the_service(url: str, name: str):
    with pytest.raises(SesameError) as raised:
        sesame.resolve(name, url=url)
    assert len(str(raised.value)) < 200


def test_a_slow_service_is_not_waited_for(url: str):
    with pytest.raises(SesameError, match="silent"):
        sesame.resolve("slow", url=url, timeout=0.1)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://[", "ftp://127.0.0.1/x"])
def test_an_address_where_nobody_answers_is_a_failure(address: str):
    with pytest.raises(SesameError):
        sesame.resolve("alf Cen", url=address, timeout=2)


@pytest.mark.parametrize(
    ("text", "plain"),
    [("* alf Cen", "alf Cen"), ("V* FU Ori", "FU Ori"), ("NAME  Proxima  Centauri", "Proxima Centauri"),
     ("** STF  60", "STF 60"), ("HD 1", "HD 1"), ("*", "*")],
)  # fmt: skip
def test_the_marks_of_simbad_are_no_part_of_a_name(text: str, plain: str):
    assert sesame.plain_name(text) == plain


@given(
    st.one_of(st.binary(max_size=300), st.integers(0, len(ALF_CEN_A)).map(lambda n: ALF_CEN_A[:n].encode()))
)
def test_any_bytes_are_read_or_refused(body: bytes):
    with contextlib.suppress(SesameError, UnknownNameError):
        assert sesame.parse(body, "x").name == "alf Cen A"
