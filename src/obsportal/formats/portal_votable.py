"""Answers of another portal's ``search.votable`` -> typed rows, while they arrive.

Columns are found by FIELD name, as the clients of the ObsPortal contract do; the names of 2020
(``exp_header``) and of 2019 (``obs_container``, ``projected_baselines``...) are understood too. The
portal is a stranger: no DTD, no entities, limits on everything, and memory stays flat.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser


class Problem(StrEnum):
    """What is wrong with an answer, as far as it decides what to do next."""

    REFUSED = "refused"  # no such answer, or one that no reader should touch: asking again is of no use
    CUT = "cut"  # it breaks off: the rows before are good, asking again may help
    TOO_LARGE = "too large"  # less should be asked for


class PortalAnswerError(ValueError):
    """An answer that is not (wholly) usable; the message is a sentence, ``problem`` its kind."""

    def __init__(self, problem: Problem, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one answer may hold."""

    size: int = 1_500_000_000
    """Bytes, unpacked; 350,000 full rows have 0.6 GB."""
    rows: int = 1_000_000
    cell: int = 100_000
    """Characters; a row with a longer cell is refused."""
    row_cells: int = 500
    depth: int = 40
    token: int = 1_000_000
    """Bytes without any element or text: a tag or comment of that size is an attack."""


@dataclass(frozen=True, slots=True)
class PortalRow:
    """One exposure as another portal publishes it. "" and None stand for what it does not say.

    MJD UTC in days, tau0 in seconds, seeing in arcsec, temperature in degC, wavelengths in metres,
    positions in degrees.
    """

    number: int
    exp_id: str = ""
    exp_header_id: str = ""
    exp_mjd_start: float | None = None
    exp_mjd_end: float | None = None
    exp_projected_baselines: str = ""
    exp_validation_level: int | None = None
    exp_validation_log: tuple[str, ...] = ()
    exp_tau0: float | None = None
    exp_temperature: float | None = None
    exp_seeing: float | None = None
    exp_date_updated: datetime | None = None
    exp_date_release: datetime | None = None
    obs_id: int | None = None
    obs_type: str = ""
    obs_program: str = ""
    obs_program_title: str = ""
    obs_program_pi_coi: str = ""
    interferometer_name: str = ""
    interferometer_stations: str = ""
    interferometer_version: str = ""
    interferometer_pops: str = ""
    interferometer_channels: str = ""
    instrument_name: str = ""
    instrument_mode: str = ""
    instrument_submode: str = ""
    instrument_em_min: float | None = None
    instrument_em_max: float | None = None
    instrument_em_res_power: float | None = None
    target_name: str = ""
    target_ra: float | None = None
    target_dec: float | None = None
    problems: tuple[str, ...] = ()
    """Sentences about cells that could not be read; their values are missing here."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that cannot be understood at all, and why. ``exp_id`` where it is known."""

    number: int
    exp_id: str
    reason: str


Row = PortalRow | RefusedRow


def _text(cell: str) -> str:
    cell = cell.strip()
    return "" if cell == "None" else cell


def _number(cell: str) -> float | None:
    cell = cell.strip()
    if not cell or cell in ("NaN", "None"):
        return None
    value = float(cell)
    return value if math.isfinite(value) else None


def _integer(cell: str) -> int | None:
    cell = cell.strip()
    if not cell or cell in ("NaN", "None"):
        return None
    if len(cell) > 18:
        raise ValueError(cell)
    return int(cell)


def _moment(cell: str) -> datetime | None:
    cell = cell.strip()
    if not cell or cell == "None":
        return None
    value = datetime.fromisoformat(cell)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _sentences(cell: str) -> tuple[str, ...]:
    """A JSON list of sentences; anything else is one sentence."""
    cell = cell.strip()
    if not cell or cell in ("None", "[]"):
        return ()
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return (cell,)
    return tuple(map(str, found)) if isinstance(found, list) else (cell,)


_Convert = Callable[[str], Any]
_NUMBERS = (
    "exp_mjd_start",
    "exp_mjd_end",
    "exp_tau0",
    "exp_temperature",
    "exp_seeing",
    "instrument_em_min",
    "instrument_em_max",
    "instrument_em_res_power",
    "target_ra",
    "target_dec",
)
_KINDS: Mapping[str, tuple[_Convert, str]] = {
    **dict.fromkeys(_NUMBERS, (_number, "a number is needed")),
    "exp_validation_level": (_integer, "a whole number is needed"),
    "obs_id": (_integer, "a whole number is needed"),
    "exp_date_updated": (_moment, "an ISO 8601 time is needed"),
    "exp_date_release": (_moment, "an ISO 8601 time is needed"),
    "exp_validation_log": (_sentences, ""),
}
FORMER_NAMES: Mapping[str, str] = {
    "exp_header": "exp_header_id",
    "obs_container": "obs_id",
    "obs_mjd_start": "exp_mjd_start",
    "obs_mjd_end": "exp_mjd_end",
    "projected_baselines": "exp_projected_baselines",
}
"""What columns were called before 2022."""
_COLUMNS = frozenset(PortalRow.__dataclass_fields__) - {"number", "problems"}
_BINARY = {"BINARY", "BINARY2", "FITS"}


class PortalAnswer:
    """One answer, read once. ``params``, ``columns``, ``count`` and ``overflow`` tell of what was read.

    ``overflow`` says that the portal had more rows than it gave.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._target = _Target(self._limits)
        self._fed = 0

    @property
    def params(self) -> Mapping[str, str]:
        """The PARAMs and INFOs, by name: ``status``, ``last_mod_date``..."""
        return self._target.params

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table as the answer names them."""
        return tuple(self._target.columns)

    @property
    def count(self) -> int:
        """Rows so far, refused ones included."""
        return self._target.count

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._fed

    @property
    def overflow(self) -> bool:
        """Whether the portal said that it had more rows than it gave."""
        return self._target.overflow

    def rows(self, pieces: Iterable[bytes]) -> Iterator[Row]:
        """The rows while the pieces arrive.

        Raises PortalAnswerError; the rows that came before have been handed out by then.
        """
        parser = DefusedXMLParser(target=self._target, forbid_dtd=True)
        target = self._target
        start = b""
        for piece in pieces:
            if len(start) < 1000:
                start += piece[: 1000 - len(start)]
            yield from self._step(partial(self._feed, parser, piece), start)
        if not start.strip():
            raise PortalAnswerError(Problem.CUT, "the answer is empty")
        yield from self._step(parser.close, start)
        target.finish()

    def _feed(self, parser: Any, piece: bytes) -> None:
        self._fed += len(piece)
        if self._fed > self._limits.size:
            megabytes = self._limits.size / 1e6
            raise PortalAnswerError(Problem.TOO_LARGE, f"the answer has more than {megabytes:g} MB")
        for at in range(0, len(piece), 65_536):
            part = piece[at : at + 65_536]
            self._target.silent += len(part)
            parser.feed(part)
            if self._target.silent > self._limits.token:
                sentence = f"the answer holds a tag or comment of more than {self._limits.token} bytes"
                raise PortalAnswerError(Problem.REFUSED, sentence)

    def _step(self, work: Callable[[], object], start: bytes) -> Iterator[Row]:
        """Do a step of the parser; hand out its rows also when it fails."""
        failure: PortalAnswerError | None = None
        try:
            work()
        except PortalAnswerError as error:
            failure = error if self.columns else _not_a_votable(start) or error
        except DefusedXmlException as error:
            failure = _not_a_votable(start) or PortalAnswerError(
                Problem.REFUSED,
                f"the answer holds a DTD or entities, which are not read: {type(error).__name__}",
            )
        except (ParseError, ValueError, LookupError, AssertionError) as error:
            after = f" after {self.count} rows" if self.count else ""
            failure = _not_a_votable(start) or PortalAnswerError(
                Problem.CUT, f"the answer is cut or malformed{after}: {error}"
            )
        yield from self._target.take()
        if failure:
            raise failure


def _not_a_votable(start: bytes) -> PortalAnswerError | None:
    """The error for an answer that does not even begin as XML of a VOTable; None where it does."""
    plain = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = plain.lower()
    if b"<votable" in lower or (lower.startswith(b"<?xml") and b"<html" not in lower):
        return None
    if b"<html" in lower or b"<!doctype html" in lower:
        title = re.search(rb"<title[^>]*>([^<]{1,200})", plain, re.IGNORECASE)
        said = f" ({' '.join(title[1].decode('utf-8', 'replace').split())})" if title else ""
        return PortalAnswerError(Problem.REFUSED, f"the answer is an HTML page{said}, not a VOTable")
    if b"<" in plain[:1]:
        return None
    shown = " ".join(plain[:60].decode("utf-8", "replace").split())
    return PortalAnswerError(Problem.REFUSED, f"the answer is no VOTable; it begins with {shown!r}")


class _Target:
    """Receives the events of the XML parser and collects rows."""

    def __init__(self, limits: Limits) -> None:
        self.params: dict[str, str] = {}
        self.columns: list[str] = []
        self.count = 0
        self.overflow = False
        self.silent = 0
        self._limits = limits
        self._names: dict[str, str] = {}
        self._depth = 0
        self._tables = 0
        self._plan: list[tuple[int, str, _Convert, str]] | None = None
        self._id_at = 0
        self._cells: list[str] | None = None
        self._parts: list[str] | None = None
        self._length = 0
        self._long = 0
        self._info: str | None = None
        self._failed = ""
        self._rows: list[Row] = []

    def take(self) -> list[Row]:
        """The rows since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self.silent = 0
        name = self._names.get(tag) or self._local(tag)
        self._depth += 1
        if name == "TD":
            if self._cells is not None:
                self._parts, self._length = [], 0
            return
        if self._depth == 1 and name != "VOTABLE":
            raise PortalAnswerError(
                Problem.REFUSED, f"the answer is no VOTable: its first element is <{name[:40]}>"
            )
        if self._depth > self._limits.depth:
            raise PortalAnswerError(Problem.REFUSED, "the elements of the answer are nested too deeply")
        if name == "TR":
            self._begin_row()
        elif name == "FIELD" and self._tables == 1:
            if len(self.columns) >= self._limits.row_cells:
                raise PortalAnswerError(
                    Problem.REFUSED, f"the table has more than {self._limits.row_cells} columns"
                )
            self.columns.append(attributes.get("name") or attributes.get("ID", ""))
        elif name == "TABLE":
            self._tables += 1
        elif name in _BINARY:
            raise PortalAnswerError(
                Problem.REFUSED, f"the table is serialised as {name}: only TABLEDATA is read"
            )
        elif name == "PARAM":
            self._param(attributes.get("name", ""), attributes.get("value", ""))
        elif name == "INFO":
            self._param(attributes.get("name", ""), attributes.get("value", ""))
            self._info = attributes.get("name", "")
            self._parts, self._length = [], 0

    def data(self, text: str) -> None:
        """Characters."""
        self.silent = 0
        if self._parts is not None:
            self._length += len(text)
            if self._length <= self._limits.cell:
                self._parts.append(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        self.silent = 0
        self._depth -= 1
        name = self._names.get(tag) or self._local(tag)
        if name == "TD":
            if self._cells is not None and self._parts is not None:
                if self._length > self._limits.cell:
                    self._long = self._length
                if len(self._cells) <= self._limits.row_cells:
                    self._cells.append("".join(self._parts))
            self._parts = None
        elif name == "TR":
            if self._cells is not None:
                self._rows.append(self._row(self._cells))
            self._cells = None
        elif name == "INFO" and self._info is not None:
            if self._parts and self._failed and self._info.upper() == "QUERY_STATUS":
                self._failed = " ".join("".join(self._parts).split())[:300] or self._failed
            self._info = self._parts = None

    def close(self) -> None:
        """The document ends."""

    def finish(self) -> None:
        """What can only be said at the end. Raises PortalAnswerError."""
        self._raise_failure()
        if self._tables and "exp_id" not in self.columns:
            self._lay_out()

    def _local(self, tag: str) -> str:
        name = tag.rpartition("}")[2]
        if len(self._names) < 1000:
            self._names[tag] = name
        return name

    def _param(self, name: str, value: str) -> None:
        if len(self.params) < 100:
            self.params[name] = value[:1000]
        match name.lower(), value.strip().upper():
            case ("status" | "query_status", "ERROR"):
                self._failed = "no reason is given"
            case ("query_status" | "status", "OVERFLOW"):
                self.overflow = True

    def _raise_failure(self) -> None:
        if not self._failed:
            return
        said = " ".join(self.params.get("message", "").split())[:300] or self._failed
        if self.count:
            raise PortalAnswerError(Problem.CUT, f"the portal failed after {self.count} rows: {said}")
        raise PortalAnswerError(Problem.REFUSED, f"the portal answered: {said}")

    def _begin_row(self) -> None:
        if self._tables != 1:
            return
        if self._plan is None:
            self._raise_failure()
            self._plan = self._lay_out()
        if self.count >= self._limits.rows:
            raise PortalAnswerError(Problem.TOO_LARGE, f"the answer has more than {self._limits.rows} rows")
        self.count += 1
        self._cells, self._long = [], 0

    def _lay_out(self) -> list[tuple[int, str, _Convert, str]]:
        """Which cell is which value. Raises PortalAnswerError where there is no exp_id."""
        found: dict[str, int] = {}
        for at, name in enumerate(self.columns):
            if name in _COLUMNS:
                found[name] = at
        for at, name in enumerate(self.columns):
            found.setdefault(FORMER_NAMES.get(name, ""), at)
        found.pop("", None)
        if "exp_id" not in found:
            raise PortalAnswerError(
                Problem.REFUSED,
                "the table has no column exp_id: this is no answer of a portal's search.votable",
            )
        self._id_at = found["exp_id"]
        return [(at, name, *_KINDS.get(name, (_text, ""))) for name, at in found.items()]

    def _row(self, cells: list[str]) -> Row:
        exp_id = _text(cells[self._id_at])[:120] if len(cells) > self._id_at else ""
        if len(cells) != len(self.columns):
            reason = f"the row has {len(cells)} cells, the table {len(self.columns)} columns"
            return RefusedRow(self.count, exp_id, reason)
        if self._long:
            reason = f"a cell has {self._long} characters: at most {self._limits.cell} are read"
            return RefusedRow(self.count, exp_id, reason)
        values: dict[str, Any] = {}
        problems: list[str] = []
        assert self._plan is not None
        for at, name, convert, needed in self._plan:
            cell = cells[at]
            if not cell:
                continue
            try:
                values[name] = convert(cell)
            except (ValueError, OverflowError):
                problems.append(f"{self.columns[at]} is {cell.strip()[:40]!r}: {needed}")
        return PortalRow(self.count, **values, problems=tuple(problems))
