"""The headers of a FITS file without its data: blocks of 2880 bytes up to END, data skipped.

FITS standard 4.0, sections 3.3 and 4.4.1.
"""

from __future__ import annotations

from typing import Protocol

from obsportal.formats.fits_header import CARD, MAX_HEADER, Header, HeaderError

BLOCK = 2880
MAX_EXTENSIONS = 200
"""Extensions read when the primary header says nothing of the instrument."""
MAX_SKIPPED = 8_000_000_000
"""Bytes of data passed over in search of an extension header."""

_END = b"END" + b" " * (CARD - 3)


class ForwardReader(Protocol):
    """What reading headers needs of a file."""

    def read(self, size: int, /) -> bytes:
        """Read up to ``size`` bytes, fewer only at the end."""

    def skip(self, size: int, /) -> None:
        """Pass over bytes."""


def read_fits_text(file: ForwardReader) -> str:
    """Header text of a FITS file, 80-column cards run together, END last; latin-1.

    The primary header alone where it names an instrument, else all headers of the file joined, the
    primary first: a compressed (fpack) file keeps its metadata in an extension. Raises HeaderError
    with code truncated or too-large.
    """
    primary = _one_header(file)
    if primary is None:
        raise HeaderError("empty-file", "the file is empty")
    if _has_instrument(primary):
        return primary + _END.decode()
    parts = [primary]
    skipped = size = 0
    current = primary
    while len(parts) <= MAX_EXTENSIONS:
        data = _data_size(current)
        skipped += data
        if data < 0 or skipped > MAX_SKIPPED:
            break
        file.skip(data)
        try:
            extension = _one_header(file)
        except HeaderError:
            break
        if extension is None or not extension.startswith("XTENSION"):
            break
        size += len(extension)
        if size > MAX_HEADER // 2:
            break
        parts.append(extension)
        current = extension
    return "".join(parts) + _END.decode()


def _one_header(file: ForwardReader) -> str | None:
    """Cards up to END, which is left out; None at the end of the file."""
    header = bytearray()
    while True:
        block = file.read(BLOCK)
        if not block:
            if header.strip():
                raise HeaderError(
                    "truncated", f"no END card in {len(header) // CARD} cards: the header is cut short"
                )
            return None
        start = len(header)
        header += block
        at = header.find(b"END", start)
        while at >= 0:
            if at % CARD == 0 and not header[at + 3 : at + CARD].strip():
                return header[:at].decode("latin-1")
            at = header.find(b"END", at + 1)
        if len(header) > MAX_HEADER:
            raise HeaderError("too-large", f"the header has more than {MAX_HEADER} bytes")


def _has_instrument(text: str) -> bool:
    at = text.find("INSTRUME")
    while at >= 0:
        if at % CARD == 0:
            return True
        at = text.find("INSTRUME", at + 1)
    return False


def _data_size(text: str) -> int:
    """Bytes of data after a header, padded to whole blocks; -1 where the header does not say."""
    header = Header.parse(text + _END.decode())
    axes = header.integer("NAXIS")
    bits = header.integer("BITPIX")
    if axes is None or bits is None or not 0 <= axes <= 999:
        return -1
    if axes == 0:
        return 0
    sizes = [header.integer(f"NAXIS{i}") for i in range(1, axes + 1)]
    if any(size is None or size < 0 for size in sizes):
        return -1
    if sizes[0] == 0 and header.get("GROUPS") is True:
        sizes = sizes[1:]
    elements = 1
    for size in sizes:
        elements *= size or 0
    groups = header.integer("GCOUNT")
    total = abs(bits) // 8 * (1 if groups is None else groups) * ((header.integer("PCOUNT") or 0) + elements)
    return -1 if total < 0 else -(-total // BLOCK) * BLOCK
