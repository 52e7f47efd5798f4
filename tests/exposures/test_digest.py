"""Digesting needs no database and no Django: it runs in worker processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from obsportal.demo.generate import samples
from obsportal.exposures.digest import CHUNK, Digest, digest, digest_all
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
