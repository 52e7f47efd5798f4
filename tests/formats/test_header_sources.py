"""Headers out of files, folders, archives and streams: all forms agree, nothing stops the batch."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from obsportal.formats import header_sources
from obsportal.formats.fits_header import Header
from obsportal.formats.header_sources import HeaderSource, read_headers, read_stream

HEADER = fits.Header(
    [("INSTRUME", "GRAVITY"), ("OBJECT", "A & <B>"), ("HIERARCH ESO ISS CONF NTEL", 4, "telescopes > 1")]
)


def one(path: Path | str) -> Header:
    (source,) = read_headers(path)
    assert source.error is None, source.error
    assert source.text is not None
    return Header.parse(source.text)


def fits_file(primary: fits.Header = HEADER, extensions: int = 0, data: bool = True) -> bytes:
    image = np.arange(6000, dtype=np.int16).reshape(60, 100) if data else None
    hdus: list[object] = [fits.PrimaryHDU(image, primary)]
    for i in range(extensions):
        hdus.append(
            fits.ImageHDU(np.zeros((10, 10), dtype=np.float32), fits.Header([("INSTRUME", f"EXT{i}")]))
        )
    out = io.BytesIO()
    fits.HDUList(hdus).writeto(out)
    return out.getvalue()


def as_text() -> bytes:
    simple = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0)]) + HEADER
    return (simple.tostring(sep="\n", endcard=True, padding=False) + "\n").encode()


def html_page(body: str) -> bytes:
    escaped = body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")
    return f"<!DOCTYPE html><html><body><h1>Header</h1>\n<pre>\n{escaped}\n</pre></body></html>".encode()


def cut_cards(end: bool) -> bytes:
    kept = [line.rstrip() for line in as_text().decode().split("\n") if end or not line.startswith("END")]
    return html_page("\n".join(kept))


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(mode: str, **members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


SINGLE: dict[str, Callable[[], bytes]] = {
    "fits": fits_file,
    "fits without data": lambda: fits_file(data=False),
    "fits with extensions": lambda: fits_file(extensions=3),
    "fits gzip": lambda: gzip.compress(fits_file(extensions=2)),
    "text": as_text,
    "text gzip": lambda: gzip.compress(as_text()),
    "text of 80-column cards": lambda: as_text().replace(b"\n", b""),
    "archive page": lambda: cut_cards(end=True),
    "archive page without END": lambda: cut_cards(end=False),
    "zip of one": lambda: zipped(a=fits_file()),
    "zip of a gzip": lambda: zipped(a=gzip.compress(fits_file())),
    "tar of one": lambda: tarred("w", a=as_text()),
    "tar.gz of one": lambda: tarred("w:gz", a=fits_file()),
}


@pytest.mark.parametrize("form", SINGLE)
def test_the_same_header_comes_out_of_every_kind_of_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a file without telling name"
    path.write_bytes(SINGLE[form]())
    header = one(path)
    assert header.text("INSTRUME") == "GRAVITY"
    assert header.text("OBJECT") == "A & <B>"
    assert header.integer("ESO ISS CONF NTEL") == 4


@pytest.mark.parametrize("form", SINGLE)
def test_standard_input_is_read_like_a_file(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(SINGLE[form]()))
    monkeypatch.setattr(sys, "stdin", stdin)
    (source,) = read_headers("-")
    assert source.name.startswith("-")
    assert Header.parse(source.text or "").text("INSTRUME") == "GRAVITY"


def test_the_page_of_the_archive_keeps_every_value_of_a_real_header(
    shared_data: Path, tmp_path: Path
) -> None:
    for original in sorted((shared_data / "headers" / "GRAVITY").glob("*.hdr"))[:3]:
        text = original.read_text(encoding="latin-1")
        page = tmp_path / "page.html"
        page.write_bytes(html_page("\n".join(line.rstrip() for line in text.split("\n"))))
        expected, found = Header.parse(text), one(page)
        assert {k: found.get(k) for k in found.keywords()} == {
            k: expected.get(k) for k in expected.keywords()
        }


def test_metadata_in_an_extension_are_found_when_the_primary_has_none(tmp_path: Path) -> None:
    path = tmp_path / "mircx.fits.fz"
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=np.arange(5000))])
    table.header["INSTRUME"] = "MIRC-X"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    header = one(path)
    assert header.text("INSTRUME") == "MIRC-X"
    assert header.get("SIMPLE") is True
    assert header.integer("NAXIS") == 0


def test_variable_length_tables_are_skipped_by_their_heap_too(tmp_path: Path) -> None:
    path = tmp_path / "heap.fits"
    rows = np.empty(3, dtype=object)
    rows[:] = [np.arange(n, dtype=np.int32) for n in (10, 2000, 5)]
    heap = fits.BinTableHDU.from_columns([fits.Column("A", "PJ()", array=rows)])
    last = fits.ImageHDU(np.zeros(3), fits.Header([("INSTRUME", "LAST")]))
    fits.HDUList([fits.PrimaryHDU(), heap, last]).writeto(path)
    assert one(path).text("INSTRUME") == "LAST"


def test_a_real_listing_of_all_hdus_gives_all_their_keywords(shared_data: Path) -> None:
    for path in sorted((shared_data / "headers" / "CHARA").glob("*.hdr")):
        header = one(path)
        assert header.get("SIMPLE") is True
        assert header.text("INSNAME") == "MIRCX"
        assert header.text("ARRNAME") == "CHARA"


def test_folders_are_read_in_order_and_a_bad_file_does_not_stop_them(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.fits").write_bytes(fits_file())
    (tmp_path / "b" / "1.hdr").write_bytes(as_text())
    (tmp_path / "b" / "2.txt").write_text("no header at all\n")
    (tmp_path / "c.fits").write_bytes(b"")
    (tmp_path / "d.fits").write_bytes(fits_file()[:300])
    (tmp_path / ".hidden").write_bytes(as_text())
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = list(read_headers(tmp_path))
    assert [Path(s.name).name for s in found] == ["a.fits", "1.hdr", "2.txt", "c.fits", "d.fits"]
    assert [outcome(s) for s in found] == ["ok", "ok", "not-a-header", "empty-file", "truncated"]
    assert all(s.mtime is not None and s.mtime.tzinfo is not None for s in found if s.text)


def outcome(source: HeaderSource) -> str:
    """What ingest will see: the error of reading, or that of parsing, or ok."""
    if source.error is not None:
        assert source.text is None
        return source.error.code
    try:
        Header.parse(source.text or "")
    except header_sources.HeaderError as error:
        return error.code
    return "ok"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_an_error_item(tmp_path: Path) -> None:
    path = tmp_path / "secret.hdr"
    path.write_bytes(as_text())
    path.chmod(0)
    (source,) = read_headers(path)
    assert outcome(source) == "unreadable"


def test_folders_may_be_nested_deeper_than_the_stack_of_calls(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    with os.fdopen(os.open("a.hdr", os.O_WRONLY | os.O_CREAT, dir_fd=here), "wb") as file:
        file.write(as_text())
    os.close(here)
    assert [outcome(s) for s in read_headers(tmp_path)] == ["ok"]
    for _ in range(1100):  # pytest removes its folders by recursion: leave it a shallow one
        (tmp_path / "d").rename(tmp_path / "top")
        below = tmp_path / "top" / "d"
        if below.exists():
            below.rename(tmp_path / "d")
        for left in (tmp_path / "top").iterdir():
            left.unlink()
        (tmp_path / "top").rmdir()


def test_names_that_are_no_text_are_shown_all_the_same(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.hdr")).write_bytes(as_text())
    (source,) = read_headers(tmp_path)
    assert source.name.encode()
    assert [outcome(s) for s in read_headers("a\0b")] == ["not-found"]


def test_what_does_not_exist_or_is_no_file_is_an_error_item(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [outcome(s) for s in read_headers(tmp_path / "nowhere")] == ["not-found"]
    assert [outcome(s) for s in read_headers(tmp_path / "pipe")] == ["unreadable"]


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (zipped(a=as_text(), b=b"nonsense", c=fits_file()), ["ok", "not-a-header", "ok"]),
        (zipped(a=zipped(b=as_text())), ["bad-archive"]),
        (zipped(a=tarred("w", b=as_text())), ["bad-archive"]),
        (
            tarred("w:gz", a=as_text(), b=b"", c=tarred("w:gz", d=as_text())),
            ["ok", "empty-file", "bad-archive"],
        ),
        (gzip.compress(gzip.compress(as_text())), ["bad-archive"]),
        (gzip.compress(fits_file())[:100], ["bad-archive"]),
        (b"PK\x03\x04 but no zip", ["bad-archive"]),
        (b"\x1f\x9d" + b"\0" * 50, ["unsupported-compression"]),
        (b"BZh91AY&SY", ["unsupported-compression"]),
        (b"<html><body>Not found</body></html>", ["not-a-header"]),
        (b"x" * 9_000_000, ["too-large"]),
        (b"SIMPLE  =                    T" + b" " * 9_000_000, ["too-large"]),
    ],
)
def test_damaged_and_nested_archives_are_error_items(
    tmp_path: Path, content: bytes, codes: list[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert [outcome(s) for s in read_headers(path)] == codes


def test_a_bomb_is_stopped_long_before_it_fills_the_memory(tmp_path: Path) -> None:
    start = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 1), ("NAXIS1", 3_000_000_000)])
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=1) as file:
        file.write(start.tostring().encode())
        for _ in range(120):
            file.write(bytes(1_000_000))
    for name, content in (("gz", bomb.getvalue()), ("zip", zipped(a=bomb.getvalue()))):
        path = tmp_path / name
        path.write_bytes(content)
        (source,) = read_headers(path)
        assert outcome(source) == "bad-archive", name


def test_an_archive_with_too_many_members_is_cut_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_sources, "MAX_MEMBERS", 2)
    members = {f"m{i}": as_text() for i in range(5)}
    for name, content in (
        ("zip", zipped(**members)),
        ("tar", tarred("w", **members)),
        ("tgz", tarred("w:gz", **members)),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert [outcome(s) for s in read_headers(path)] == ["ok", "ok", "too-many-members"], name


@given(st.sampled_from(sorted(SINGLE)), st.integers(0, 60_000), st.binary(min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_no_damage_to_a_file_escapes_as_an_exception(form: str, at: int, damage: bytes) -> None:
    content = SINGLE[form]()
    at %= len(content)
    for broken in (content[:at] + damage + content[at + len(damage) :], content[:at], damage + content):
        for source in read_stream(io.BytesIO(broken), "-"):
            assert (source.text is None) != (source.error is None)
            outcome(source)
