"""CHARA nights: log lines and frame headers to exposures, grouped, split and joined.

A line of the log and a frame file are shorter than an observation. Consecutive ones with the same
star and setting make a block; a block is cut where a baseline has turned by MAX_TURN_DEG, because
ASPRO2 drops a record that turns further. The parts of a block are its exposures _1, _2, ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, median

from obsportal.exposures import chara_array
from obsportal.exposures.chara_array import Setting
from obsportal.exposures.chara_checks import message
from obsportal.exposures.instruments import mircx
from obsportal.exposures.instruments.context import Context
from obsportal.exposures.instruments.mircx import Frame
from obsportal.exposures.record import ExposureRecord, Level, Message, Refusal, Sighting
from obsportal.exposures.validation import validate
from obsportal.formats.chara_log import (
    BadLine,
    CharaLog,
    CharaLogError,
    LogLine,
    StarType,
    read_chara_log,
)
from obsportal.formats.fits_header import Header
from obsportal.interferometry.facility import Instrument
from obsportal.interferometry.sky import separation_deg

LINE_GAP_S = 1200.0
"""Lines of the log further apart than this are separate blocks."""
FRAME_GAP_S = 300.0
"""Frame files further apart than this are separate blocks, as in the pipeline's night catalogue."""
DEFAULT_LINE_S = 300.0
"""Length of a block of one line whose length is not stated: a usual CHARA data set."""
LENGTH_TOLERANCE_M = 1.0
JOIN_TOLERANCE_S = 300.0
JOIN_RADIUS_DEG = 30 / 3600

PositionOf = Callable[[str], tuple[float, float] | None]
"""Looks a star up by name: J2000 degrees, or None."""


@dataclass(slots=True)
class LogResult:
    """What a log gave: exposures in time order for each combiner, and every line left out with its reason."""

    records: list[ExposureRecord] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FrameBlock:
    """Frame files that are one observation: its exposures, and the names of the files."""

    header_id: str
    records: tuple[ExposureRecord, ...]
    sources: tuple[str, ...]


@dataclass(slots=True)
class FrameResult:
    """What frame headers gave."""

    blocks: list[FrameBlock] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def records(self) -> list[ExposureRecord]:
        """All exposures."""
        return [record for block in self.blocks for record in block.records]


@dataclass(slots=True)
class Joined:
    """Exposures after joining frames with the log; ``pairs`` maps a log exposure to the frames' one."""

    records: list[ExposureRecord]
    pairs: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Line:
    """A log line with what its names mean."""

    line: LogLine
    setting: Setting

    @property
    def key(self) -> tuple[object, ...]:
        line = self.line
        return (
            chara_array.name_key(line.star), line.stations, line.filter, line.type_text, line.program, line.pi
        )  # fmt: skip


def describe_log(
    data: bytes | str | CharaLog, *, source: str = "CHARA log", position_of: PositionOf | None = None
) -> LogResult:
    """The exposures of a log, and a refusal for each line (or the file) that cannot be used.

    ``position_of`` is asked for stars whose lines have no RA and DEC. Never raises for bad content.
    The same log gives the same identifiers each time.
    """
    result = LogResult()
    try:
        log = data if isinstance(data, CharaLog) else read_chara_log(data)
    except CharaLogError as error:
        result.refusals.append(Refusal(source, error.code, error.message))
        return result
    result.refusals += [_refusal(source, bad) for bad in log.refused]
    by_combiner: dict[str, list[_Line]] = {}
    seen: dict[tuple[object, ...], int] = {}
    for line in log.lines:
        try:
            instrument = chara_array.combiner(line.combiner)
        except LookupError as error:
            bad = BadLine(line.line, "COMBINER", line.combiner, f"a CHARA combiner ({error})")
            result.refusals.append(_refusal(source, bad))
            continue
        understood = _Line(line, chara_array.setting(instrument, line.filter))
        unique = (line.combiner.upper(), line.mjd, *understood.key)
        if unique in seen:
            reason = f"line {line.line} repeats line {seen[unique]}"
            result.refusals.append(
                Refusal(f"{source}:{line.line}", "log-line-repeated", reason, line.combiner)
            )
            continue
        seen[unique] = line.line
        by_combiner.setdefault(line.combiner.upper(), []).append(understood)
    positions = _Positions(position_of)
    for name in sorted(by_combiner):
        result.records += _combiner_records(by_combiner[name], positions)
    return result


def group_frames(headers: Iterable[tuple[str, Header]], *, include_products: bool = False) -> FrameResult:
    """Blocks of raw MIRC-X and MYSTIC frame files from (file name, header) pairs, in any order.

    Only a small summary of each header is kept. The identifier of a block comes from its first frame.
    """
    result = FrameResult()
    named: dict[str, tuple[str, Frame]] = {}
    for source, header in headers:
        frame = mircx.read_frame(header, Context(include_products=include_products, header_id=source))
        if isinstance(frame, Refusal):
            result.refusals.append(frame)
        elif frame.header_id in named:
            reason = f"the same frame as {named[frame.header_id][0]}"
            result.refusals.append(Refusal(source, "frame-repeated", reason, frame.instrume, frame.start))
        else:
            named[frame.header_id] = (source, frame)
    ordered = sorted(named.values(), key=lambda pair: (pair[1].instrume, pair[1].start))
    block: list[tuple[str, Frame]] = []
    for source, frame in ordered:
        if block and (
            frame.group != block[-1][1].group or (frame.start - block[-1][1].end) * 86400 > FRAME_GAP_S
        ):
            result.blocks.append(_frame_block(block))
            block = []
        block.append((source, frame))
    if block:
        result.blocks.append(_frame_block(block))
    return result


def join_log(frames: Sequence[ExposureRecord], log: Sequence[ExposureRecord]) -> Joined:
    """Give frame exposures the programme, PI, role and stations of the log entry they belong to.

    They belong together when instrument and star are the same and the times overlap within
    JOIN_TOLERANCE_S. A log exposure that found its frames is left out of the result; others stay.
    """
    pairs: list[tuple[str, str]] = []
    for record in frames:
        found = [entry for entry in log if _overlap(record, entry) is not None and _same(record, entry)]
        if not found:
            continue
        best = max(found, key=lambda entry: _overlap(record, entry) or 0.0)
        programmes = sorted({entry.program_id for entry in found})
        _take_from_log(record, best)
        if len(programmes) > 1:
            record.messages.append(
                message("programme-ambiguous", programmes=", ".join(programmes), taken=best.program_id)
            )
        pairs += [(entry.exp_id, record.exp_id) for entry in found]
    taken = {log_id for log_id, _ in pairs}
    return Joined([*frames, *(entry for entry in log if entry.exp_id not in taken)], pairs)


def _refusal(source: str, bad: BadLine) -> Refusal:
    return Refusal(f"{source}:{bad.line}", "log-line-refused", str(bad))


class _Positions:
    """Star positions by name, each asked for once."""

    def __init__(self, position_of: PositionOf | None) -> None:
        self._position_of = position_of
        self._known: dict[str, tuple[float, float] | None] = {}

    def find(self, lines: Sequence[_Line]) -> tuple[tuple[float, float] | None, str]:
        """J2000 degrees and where they come from."""
        for each in lines:
            if each.line.ra is not None and each.line.dec is not None:
                return (each.line.ra, each.line.dec), "RA/DEC"
        star = lines[0].line.star
        if star not in self._known:
            asked = map(self._position_of, chara_array.name_candidates(star)) if self._position_of else ()
            self._known[star] = next((found for found in asked if found is not None), None)
        return self._known[star], "name"


def _combiner_records(lines: list[_Line], positions: _Positions) -> list[ExposureRecord]:
    lines.sort(key=lambda each: (each.line.mjd, each.line.line))
    blocks: list[list[_Line]] = []
    for each in lines:
        last = blocks[-1][-1] if blocks else None
        if last and last.key == each.key and (each.line.mjd - last.line.mjd) * 86400 <= LINE_GAP_S:
            blocks[-1].append(each)
        else:
            blocks.append([each])
    starts = [block[0].line.mjd for block in blocks] + [float("inf")]
    ids = [_block_id(block[0].line) for block in blocks]
    repeated = {header_id for header_id, count in Counter(ids).items() if count > 1}
    records = []
    for index, block in enumerate(blocks):
        first = block[0].line
        header_id = ids[index]
        if header_id in repeated:
            header_id += f".{''.join(first.stations)}.{chara_array.name_key(first.star)[:40]}"
        later = next((start for start in starts[index + 1 :] if start > block[-1].line.mjd), float("inf"))
        records += _block_records(block, header_id, later, positions)
    return records


def _block_id(line: LogLine) -> str:
    return f"{chara_array.NAME}.{re.sub(r'[^A-Z0-9]', '', line.combiner.upper())}.{chara_array.iso(line.mjd)}"


def _block_records(
    block: Sequence[_Line], header_id: str, later: float, positions: _Positions
) -> list[ExposureRecord]:
    step, rule = _step(block)
    marks = [each.line.mjd for each in block]
    marks.append(min(marks[-1] + step / 86400, later))
    position, origin = positions.find(block)
    stations = block[0].line.stations
    cuts = chara_array.parts(marks, stations, *position) if position else [(0, marks[0])]
    bounds = [mjd for _, mjd in cuts] + [marks[-1]]
    records = []
    for number, (start, end) in enumerate(pairwise(bounds), start=1):
        held = [each for each, (a, b) in zip(block, pairwise(marks), strict=True) if a < end and b > start]
        record = _log_record(held or [block[0]], header_id, number, start, end, position, origin)
        record.provenance["mjd_end"] = rule
        if len(block) == 1 and rule.startswith("default"):
            record.messages.append(message("length-assumed", seconds=DEFAULT_LINE_S))
        records.append(validate(record))
    return records


def _step(block: Sequence[_Line]) -> tuple[float, str]:
    """Seconds from the last line to the end of the block, and the rule that gave them."""
    stated = [each.line.duration for each in block if each.line.duration is not None]
    if stated:
        return median(stated), "last line + median DURATION"
    steps = [(b.line.mjd - a.line.mjd) * 86400 for a, b in pairwise(block) if b.line.mjd > a.line.mjd]
    if steps:
        return median(steps), "last line + median step between lines"
    return DEFAULT_LINE_S, f"default length of a single line, {DEFAULT_LINE_S:.0f} s"


def _log_record(
    block: Sequence[_Line],
    header_id: str,
    number: int,
    start: float,
    end: float,
    position: tuple[float, float] | None,
    origin: str,
) -> ExposureRecord:
    line, setting = block[0].line, block[0].setting
    ra, dec = position or (None, None)
    obs_type, reason = chara_array.role(line.type.value)
    record = ExposureRecord(
        header_id=header_id,
        exp_id=f"{header_id}_{number}",
        instrument_name="",
        interferometer_name=chara_array.NAME,
        target=Sighting(chara_array.star_name(line.star), ra, dec, origin if position else ""),
        pointing_ra=ra,
        pointing_dec=dec,
        position_origin=origin if position else "",
        obs_type=obs_type,
        obs_type_reason=reason,
        obs_type_header=line.type_text,
        program_id=line.program,
        pi_coi=line.pi,
        technical=chara_array.is_technical(line.program),
        stations=line.stations,
        pops=line.pops,
        time_origin="log",
    )
    setting.apply(record)
    record.instrument_submode = _submode(line, setting.instrument)
    chara_array.set_times(record, start, end)
    durations = [each.line.duration for each in block if each.line.duration is not None]
    if len(durations) == len(block):
        record.exposure_time = min(sum(durations), (end - start) * 86400)
    if position:
        record.baselines = chara_array.baselines_between(line.stations, start, end, *position)
        record.baselines_origin = "computed"
        record.messages += _length_messages(block, position)
    else:
        text = f"No position for {line.star!r}, neither RA and DEC in the log nor by name: no baselines"
        record.messages.append(Message("position-missing", Level.ERROR, text))
    if line.type is StarType.UNKNOWN:
        record.messages.append(message("role-unknown", where="TYPE UNKNO"))
    for each in block:
        record.messages += [
            message("log-remark", line=each.line.line, remark=remark) for remark in each.line.remarks
        ]
    tau0_rule = _set_tau0(record, block)
    record.provenance = {
        "mjd_start": "MJD, taken as the start of the data set",
        "target": "STAR",
        "pointing_ra": "RA, DEC of the log" if origin == "RA/DEC" else "position of the named target",
        "program_id": "PROGRAM",
        "pi_coi": "PI",
        "obs_type": "TYPE",
        "instrument_name": "COMBINER",
        "instrument_mode": "FILTER",
        "stations": "SCOPES",
        "baselines": "computed from stations, time and position" if position else "position not known",
        "exposure_time": "sum of DURATION" if record.exposure_time is not None else "not logged",
        "tau0": tau0_rule,
    }
    return record


def _submode(line: LogLine, instrument: Instrument) -> str:
    if instrument.name in {"MIRCX", "MYSTIC"}:
        name = "MIRC-X" if instrument.name == "MIRCX" else "MYSTIC"
        return ",".join(part for part in (name, line.filter) if part)
    return "" if line.combiner.upper() == instrument.name else line.combiner


def _length_messages(block: Sequence[_Line], position: tuple[float, float]) -> list[Message]:
    """A warning when logged and computed lengths differ; the log does not say which is which.

    With as many lengths as baselines they are compared in order of size, else each with the nearest.
    """
    wrong: list[tuple[float, int, float, float]] = []
    for each in block:
        line = each.line
        computed = sorted(b.length for b in chara_array.lookup_angles(line.stations, line.mjd, *position))
        logged = sorted(line.lengths)
        if len(logged) == len(computed):
            pairs = list(zip(logged, computed, strict=True))
        else:
            pairs = [(a, computed[_nearest(a, computed)]) for a in logged]
        apart, a, b = max((abs(a - b), a, b) for a, b in pairs)
        if apart > LENGTH_TOLERANCE_M:
            wrong.append((apart, line.line, a, b))
    if not wrong:
        return []
    _, number, a, b = max(wrong)
    return [
        message("lengths-disagree", wrong=len(wrong), lines=len(block), line=number, logged=a, computed=b)
    ]


def _nearest(value: float, among: Sequence[float]) -> int:
    return min(range(len(among)), key=lambda index: abs(among[index] - value))


def _set_tau0(record: ExposureRecord, block: Sequence[_Line]) -> str:
    """Mean coherence time at 500 nm, in seconds; tau0 grows with wavelength to the power 6/5."""
    at_500 = [each.line.t0_500nm for each in block if each.line.t0_500nm is not None]
    if at_500:
        record.tau0 = fmean(at_500)
        return "mean of T0_500nm"
    observed = [each.line.t0_obs for each in block if each.line.t0_obs is not None]
    if observed and record.em_min is not None and record.em_max is not None:
        record.tau0 = fmean(observed) * (500e-9 / ((record.em_min + record.em_max) / 2)) ** 1.2
        return "mean of T0_OBS, scaled to 500 nm by wavelength to the power 6/5"
    return "not logged"


def _frame_block(block: Sequence[tuple[str, Frame]]) -> FrameBlock:
    frames = [frame for _, frame in block]
    first = frames[0]
    marks = [*(frame.start for frame in frames), max(frame.end for frame in frames)]
    cuts = [(0, marks[0])]
    if first.ra is not None and first.dec is not None:
        cuts = chara_array.parts(marks, chara_array.STATIONS, first.ra, first.dec, inside=False)
    indices = [index for index, _ in cuts] + [len(frames)]
    records = tuple(
        validate(
            mircx.record_of(
                frames[a:b], first.header_id, number, frames[a].start, max(f.end for f in frames[a:b])
            )
        )
        for number, (a, b) in enumerate(pairwise(indices), start=1)
    )
    return FrameBlock(first.header_id, records, tuple(source for source, _ in block))


def _overlap(record: ExposureRecord, entry: ExposureRecord) -> float | None:
    """Seconds two exposures share, negative within the tolerance; None when further apart."""
    if record.mjd_start is None or record.mjd_end is None or entry.mjd_start is None or entry.mjd_end is None:
        return None
    shared = (min(record.mjd_end, entry.mjd_end) - max(record.mjd_start, entry.mjd_start)) * 86400
    return shared if shared >= -JOIN_TOLERANCE_S else None


def _same(record: ExposureRecord, entry: ExposureRecord) -> bool:
    if record.instrument_name != entry.instrument_name or not record.target or not entry.target:
        return False
    if chara_array.name_key(record.target.name) == chara_array.name_key(entry.target.name):
        return True
    a, b = record.target, entry.target
    if a.ra is None or a.dec is None or b.ra is None or b.dec is None:
        return False
    return separation_deg(a.ra, a.dec, b.ra, b.dec) <= JOIN_RADIUS_DEG


def _take_from_log(record: ExposureRecord, entry: ExposureRecord) -> None:
    record.program_id, record.pi_coi, record.technical = entry.program_id, entry.pi_coi, entry.technical
    record.obs_type, record.obs_type_header = entry.obs_type, entry.obs_type_header
    record.obs_type_reason = entry.obs_type_reason
    settled = {"stations-assumed"} | ({"role-unknown"} if entry.obs_type_header else set())
    record.messages = [message for message in record.messages if message.code not in settled]
    record.messages += [message for message in entry.messages if message.code == "role-unknown"]
    if record.tau0 is None:
        record.tau0 = entry.tau0
    rule = "observing log, by time and star"
    record.provenance |= dict.fromkeys(("program_id", "pi_coi", "obs_type", "tau0", "stations"), rule)
    if set(entry.stations) == set(record.stations):
        return
    record.stations, record.pops = entry.stations, entry.pops
    if record.mjd_start is not None and record.mjd_end is not None:
        chara_array.set_times(record, record.mjd_start, record.mjd_end)
        if record.pointing_ra is not None and record.pointing_dec is not None:
            record.baselines = chara_array.baselines_between(
                record.stations, record.mjd_start, record.mjd_end, record.pointing_ra, record.pointing_dec
            )
