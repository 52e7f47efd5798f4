"""Digesting needs no database and no Django: it runs in worker processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.db.models import BigIntegerField, IntegerField

from obsportal.demo.generate import samples
from obsportal.exposures.digest import CHUNK, LONGEST_IDENTIFIER, Digest, digest, digest_all
from obsportal.formats.header_sources import HeaderSource


def headers(number: int) -> list[tuple[HeaderSource, None]]:
    kinds = [HeaderSource(name, sample.text) for name, sample in samples()]
    return [(kinds[i % len(kinds)], None) for i in range(number)]


def seen(found: Digest) -> tuple[object, ...]:
    return found.header_id, found.sha256, found.columns, found.refusal, [p.sha256 for p in found.provenances]


def test_the_module_imports_without_django_settings():
    code = "import obsportal.exposures.digest, sys; sys.exit('obsportal.exposures.models' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env={"PYTHONPATH": "src"}, check=False)
    assert done.returncode == 0


def test_worker_processes_give_the_same_in_the_same_order():
    work = headers(CHUNK * 3 + 7)
    beside = [seen(d) for d in digest_all(iter(work), processes=2)]
    assert beside == [seen(d) for d in digest_all(iter(work))]
    assert len(beside) == len(work)


def test_what_is_no_header_becomes_a_refusal_with_its_source():
    found = digest(HeaderSource("folder/notes.txt", "hello"))
    assert found.refusal is not None
    assert (found.refusal.header_id, found.records) == ("folder/notes.txt", [])


HOSTILE = {
    "ESO OBS ID": "-99999999999999999999999",
    "ESO OBS CONTAINER ID": "-99999999999999999999999",
    "ESO TPL EXPNO": "99999999999999999999999",
    "ESO TPL NEXP": "3000000000",
    "ESO DET2 NDIT": "99999999999999999999999",
    "ESO ISS CONF STATION1": f"'{'Z' * 3000}'",
    "ESO TPL START": f"'{'2020-01-01T00:00:00 ' * 30}'",
    "ESO OBS PROG ID": f"'{'6' * 3000}'",
    "ESO OBS TARG NAME": f"'{'<b>' * 1000}'",
    "ESO INS POLA MODE": f"'{'COMBINED' * 100}'",
    "ESO OCS EXPO1 FNAME1": f"'{'F' * 500}'",
}


def altered(name: str, cards: dict[str, str]) -> str:
    """The text of a sample with cards put before all others, so that they count."""
    text = next(sample.text for found, sample in samples() if name in found)
    first, _, rest = text.partition("\n")
    added = [f"{'HIERARCH ' * (' ' in keyword)}{keyword} = {value}" for keyword, value in cards.items()]
    return "\n".join([first, *added, rest])


@pytest.mark.parametrize("instrument", ["GRAVI", "MATIS", "PIONI"])
def test_values_too_large_for_a_column_never_reach_it(instrument: str):
    from obsportal.exposures.models import Exposure

    made = digest(HeaderSource("hostile.hdr", altered(instrument, HOSTILE)))
    assert made.refusal is None
    for column, value in made.columns[0].items():
        field = Exposure._meta.get_field(column)
        if isinstance(value, str) and field.max_length:
            assert len(value) <= field.max_length, column
        elif isinstance(field, IntegerField) and not isinstance(field, BigIntegerField) and value is not None:
            assert abs(value) < 2**31, column
    assert made.columns[0]["obs_id"] is None


def test_an_identifier_too_long_to_keep_is_refused_with_its_length():
    made = digest(HeaderSource("long.hdr", altered("GRAVI", {"ARCFILE": f"'{'G' * 500}.fits'"})))
    assert made.refusal is not None
    assert made.refusal.code == "no-identifier"
    assert "502 characters" in made.refusal.reason
    assert len(made.header_id) <= LONGEST_IDENTIFIER
