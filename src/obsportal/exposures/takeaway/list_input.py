"""A list of stars as people have it: pasted names and positions, a CSV, a VOTable. No database.

Each line becomes a name, a position in degrees (J2000) or both, or says why it could not be read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from obsportal.exposures.angles import parse_position
from obsportal.exposures.search_values import SearchError, shown
from obsportal.formats.votable_reader import VOTableError, VOTableReader

PAGE_LINES = 200
"""Stars that a page checks."""
MOST_LINES = 2_000
"""Stars that the data formats check."""
MAX_BYTES = 2_000_000
"""Largest list that is read, as text."""
LONGEST = 300
"""Characters of a line."""

NAME_COLUMNS = (
    "name", "target", "targetname", "target_name", "object", "star", "mainid", "main_id", "identifier",
    "designation", "simbad", "starname", "source", "id",
)  # fmt: skip
RA_COLUMNS = (
    "ra", "radeg", "ra_deg", "raj2000", "_raj2000", "ra_j2000", "ra2000", "ra_icrs", "raicrs", "target_ra",
    "s_ra", "rightascension", "right_ascension", "alpha", "_ra",
)  # fmt: skip
DEC_COLUMNS = (
    "dec", "de", "decdeg", "dec_deg", "dej2000", "_dej2000", "decj2000", "dec_j2000", "dec2000", "de_icrs",
    "dec_icrs", "deicrs", "target_dec", "s_dec", "declination", "delta", "_de",
)  # fmt: skip
"""Column names that are understood, best first; case, blanks and units in brackets do not matter."""

ALLOWED = (
    "a name (HD 58647), a position in degrees (111.4837 -14.1788) or sexagesimal"
    " (07 25 56.1 -14 10 44), or both divided by commas (HD 58647, 111.4837, -14.1788)"
)


@dataclass(frozen=True, slots=True)
class ListLine:
    """One star asked for. ``problem`` says why the line could not be read, "" when it could."""

    number: int
    """Of the line in the text, or of the row in the table, from 1."""
    text: str
    name: str = ""
    ra: float | None = None
    dec: float | None = None
    problem: str = ""

    @property
    def as_text(self) -> str:
        """The line as it can be pasted again."""
        if self.problem or self.ra is None or self.dec is None:
            return self.text
        place = f"{self.ra:.7f}, {self.dec:.7f}"
        return f"{_quoted(self.name)}, {place}" if self.name else place


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[,;\t"]', name) else name


def read_list(content: str | bytes, most: int = PAGE_LINES) -> list[ListLine]:
    """The stars of a list in any of the forms. Raises SearchError when nothing can be made of it at all.

    Blank lines and those that begin with ``#`` are left out. More than ``most`` stars are refused.
    """
    raw = content if isinstance(content, bytes) else content.encode()
    if len(raw) > MAX_BYTES:
        raise SearchError("list", f"the list has {len(raw)} bytes: at most {MAX_BYTES} are read")
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        lines = _votable(raw.lstrip(b" \t\r\n"), most)
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SearchError(
                "list", f"the list is no UTF-8 text (byte {error.start + 1}) and no VOTable"
            ) from None
        lines = _text(text, most)
    if not lines:
        raise SearchError("list", f"the list is empty: one star a line is needed, {ALLOWED}")
    return lines


def _too_many(most: int) -> SearchError:
    more = f"; /list.csv, .json and .votable take {MOST_LINES}" if most < MOST_LINES else ""
    return SearchError("list", f"the list has more than {most} stars, which is the most allowed here{more}")


def _text(text: str, most: int) -> list[ListLine]:
    numbered = [(n, line.strip()) for n, line in enumerate(re.split(r"\r\n|\r|\n", text), 1)]
    given = [(n, line) for n, line in numbered if line.strip(",;\t ") and not line.startswith("#")]
    if not given:
        return []
    delimiter = _delimiter(given[0][1])
    columns = find_columns(_cells(given[0][1], delimiter)) if delimiter or len(given) > 1 else None
    if columns:
        given = given[1:]
    if len(given) > most:
        raise _too_many(most)
    if columns:
        return [_from_cells(n, line, _cells(line, delimiter), columns) for n, line in given]
    return [read_line(n, line) for n, line in given]


def _delimiter(line: str) -> str:
    return next((mark for mark in ("\t", ";", ",", "|") if mark in line), "")


def _cells(line: str, delimiter: str) -> list[str]:
    if not delimiter:
        return [line.strip()]
    try:
        row = next(csv.reader(io.StringIO(line), delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        row = line.split(delimiter)
    return [cell.strip() for cell in row]


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a table has name, right ascension and declination; None where it has none."""

    name: int | None
    ra: int | None
    dec: int | None


def find_columns(header: Sequence[str]) -> Columns | None:
    """The columns of a header row by their names; None when neither name nor position is among them."""
    plain = [re.sub(r"[\[(].*$", "", cell).strip().lower().replace(" ", "_") for cell in header]

    def first(wanted: tuple[str, ...]) -> int | None:
        return next((plain.index(word) for word in wanted if word in plain), None)

    found = Columns(first(NAME_COLUMNS), first(RA_COLUMNS), first(DEC_COLUMNS))
    if found.name is None and (found.ra is None or found.dec is None):
        return None
    return found


def _from_cells(number: int, text: str, cells: Sequence[str], columns: Columns) -> ListLine:
    def cell(index: int | None) -> str:
        return cells[index] if index is not None and index < len(cells) else ""

    return _star(number, text, cell(columns.name), cell(columns.ra), cell(columns.dec))


def _star(number: int, text: str, name: str, ra: str, dec: str) -> ListLine:
    """A line of a table: its position decides where it has one."""
    text, name = text[:LONGEST], " ".join(name.split())
    if len(name) > 80:
        return ListLine(number, text, problem=f"the name has {len(name)} characters: at most 80 are allowed")
    if not ra and not dec:
        if not name:
            return ListLine(number, text, problem="neither a name nor a position is given")
        return ListLine(number, text, name)
    at = place_of(ra, dec)
    if at is None:
        return ListLine(
            number,
            text,
            name,
            problem=f"RA {shown(ra)}, Dec {shown(dec)} is no position: RA 0 to 360 degrees or"
            " hh:mm:ss, Dec -90 to +90 degrees or dd:mm:ss are allowed",
        )
    return ListLine(number, text, name, *at)


def place_of(ra: str, dec: str) -> tuple[float, float] | None:
    """Degrees from the texts of two cells: decimal degrees, or sexagesimal hours and degrees."""
    try:
        east, north = float(ra), float(dec)
    except ValueError:
        sign = "" if dec.strip()[:1] in ("+", "-", "−", "–") else "+"
        return parse_position(f"{ra.strip()} {sign}{dec.strip()}")
    return (east, north) if 0 <= east <= 360 and -90 <= north <= 90 else None


_NAME_AND_PLACE = re.compile(
    r"(?P<name>\S.*?)\s+(?P<ra>\d{1,3}\.\d+|\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?)"
    r"\s+(?P<dec>[+\-−–]?\d{1,2}(?:\.\d+|:\d{1,2}:\d{1,2}(?:\.\d*)?))$",
    re.ASCII,
)
_LIKE_A_PLACE = re.compile(r"[\d\s.:+\-−–hmsd°'\"′″]+$", re.ASCII)


def read_line(number: int, line: str) -> ListLine:
    """A line without column names: a position, a name, or a name with a position on either side."""
    if len(line) > LONGEST:
        said = f"the line has {len(line)} characters: at most {LONGEST} are allowed"
        return ListLine(number, line[:LONGEST], problem=said)
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line):
        plain = re.sub(r"[\x00-\x1f\x7f]", "?", line)
        return ListLine(number, plain, problem="the line has control characters: allowed is " + ALLOWED)
    at = parse_position(line)
    if at is not None:
        return ListLine(number, line, "", *at)
    cells = _cells(line, _delimiter(line))
    if len(cells) >= 3:
        if _angular(cells[1]) and _angular(cells[2]):
            return _star(number, line, *cells[:3])
        if _angular(cells[0]) and _angular(cells[1]):
            return _star(number, line, cells[2], cells[0], cells[1])
    if len(cells) == 2 and all(map(_angular, cells)):
        return _star(number, line, "", *cells)
    if len(cells) == 2 and (at := parse_position(cells[1])) is not None:
        return _star(number, line, cells[0], repr(at[0]), repr(at[1]))
    if len(cells) == 1 and (found := _NAME_AND_PLACE.match(line)):
        return _star(number, line, found["name"], found["ra"], found["dec"])
    if len(cells) == 1 and _LIKE_A_PLACE.match(line) and re.search(r"\d[\s:]+[+\-−–]?\d", line):
        return ListLine(number, line, problem=f"it looks like a position but is none: allowed is {ALLOWED}")
    return _star(number, line, cells[0], "", "")


def _angular(cell: str) -> bool:
    return bool(cell) and bool(_LIKE_A_PLACE.match(cell)) and any(c.isdigit() for c in cell)


def _votable(raw: bytes, most: int) -> list[ListLine]:
    reader = VOTableReader(io.BytesIO(raw))
    lines: list[ListLine] = []
    try:
        for number, row in enumerate(reader, 1):
            if number > most:
                raise _too_many(most)
            lines.append(_from_row(number, row, [field.name for field in reader.fields]))
    except VOTableError as error:
        raise SearchError("list", f"the VOTable cannot be read: {error}") from None
    except (LookupError, ValueError) as error:
        if isinstance(error, SearchError):
            raise
        raise SearchError("list", f"the VOTable cannot be read: {error}") from None
    return lines


def _from_row(number: int, row: Mapping[str, object], names: Iterable[str]) -> ListLine:
    header = list(names)
    columns = find_columns(header)
    if columns is None:
        listed = ", ".join(header[:20])
        raise SearchError(
            "list",
            f"the VOTable has no column for a name (such as {', '.join(NAME_COLUMNS[:4])}) or a position"
            f" (such as ra and dec): its columns are {listed}",
        )
    cells = ["" if row.get(name) is None else _plain(row[name]) for name in header]
    used = [i for i in (columns.name, columns.ra, columns.dec) if i is not None]
    return _from_cells(number, ", ".join(cells[i] for i in used), cells, columns)


def _plain(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value).strip()
