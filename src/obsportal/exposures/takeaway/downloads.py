"""The raw files of a selection in the ESO archive, with those of the calibrators and of every detector.

Only identifiers of the archive's own form are listed; everything else is counted with its reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from django.utils import timezone

from obsportal.exposures.bulk import parts
from obsportal.exposures.models import ContinuationFile, Exposure, ExposureQuerySet
from obsportal.exposures.observations.sequences import calibrators_of
from obsportal.exposures.projection import AUTHORITIES
from obsportal.exposures.search import Search
from obsportal.exposures.search_values import SearchError

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

DATA_PORTAL = "https://dataportal.eso.org/dataPortal/file"
"""Where a raw file is fetched: behind it, its identifier."""
MOST_EXPOSURES = 50_000

_DP_ID = re.compile(r"[A-Z][A-Z0-9_]{1,11}\.\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}")

Key = TypeVar("Key", int, str)


class Role(StrEnum):
    """Why a file is in the list."""

    SCIENCE = "science"
    CALIBRATOR = "calibrator"


@dataclass(frozen=True, slots=True)
class RawFile:
    """A raw file of the archive."""

    dp_id: str
    role: Role
    target: str
    instrument: str
    programme: str
    release: datetime | None
    public: bool
    """Whether it is fetched without a token: its release is past, or not known here."""
    linked: bool
    """It is not part of the selection: a linked calibrator, or another detector's or a further file."""

    @property
    def url(self) -> str:
        """Where it is fetched."""
        return f"{DATA_PORTAL}/{self.dp_id}"


@dataclass(frozen=True, slots=True)
class Downloads:
    """The files of a selection, science before calibrators, in order of time; and what has none."""

    files: tuple[RawFile, ...]
    left_out: tuple[tuple[str, int], ...]
    """Reasons with the number of exposures."""
    words: str

    @property
    def proprietary(self) -> int:
        """Files that need their owner's token."""
        return sum(1 for file in self.files if not file.public)

    @property
    def public(self) -> int:
        """Files that anybody may fetch."""
        return len(self.files) - self.proprietary

    @property
    def undated(self) -> int:
        """Files whose release date is not known; they count as public."""
        return sum(1 for file in self.files if file.release is None)

    def count(self, role: Role) -> int:
        """Files of this role."""
        return sum(1 for file in self.files if file.role is role)

    @property
    def science(self) -> int:
        """Files of science targets."""
        return self.count(Role.SCIENCE)

    @property
    def calibrators(self) -> int:
        """Files of calibrators."""
        return self.count(Role.CALIBRATOR)


_COLUMNS = (
    "pk",
    "exp_header_id",
    "authority",
    "obs_type",
    "target__name",
    "instrument_name",
    "obs_program",
    "exp_date_release",
    "pair_key",
    "group_key",
    "observation_id",
    "exp_mjd_start",
)


def downloads(
    search: Search, actor: Actor, *, calibrators: bool = True, now: datetime | None = None
) -> Downloads:
    """The raw files of the exposures of a search that this actor may see.

    With them come, unless switched off, the exposures of their linked calibrators, and in any case the
    file of a pair's other detector and the further files of split exposures. Raises SearchError for a
    selection too large.
    """
    now = now or timezone.now()
    own = list(search.exposures(actor).order_by().values(*_COLUMNS)[: MOST_EXPOSURES + 1])
    if len(own) > MOST_EXPOSURES:
        raise SearchError(
            "limit",
            f"the selection has more than {MOST_EXPOSURES} exposures, the most for a download list:"
            " choose a target, a programme, an instrument or shorter dates",
        )
    visible = Exposure.objects.visible_to(actor)
    rows = {row["pk"]: row for row in own}
    chosen = set(rows)
    if calibrators:
        science = {row["observation_id"] for row in own if row["obs_type"] == "science"} - {None}
        linked = {found.observation.pk for found in calibrators_of(sorted(science), actor)}
        _more(rows, visible.filter(obs_type="calibrator"), "observation__in", linked)
    _more(rows, visible, "pair_key__in", {row["pair_key"] for row in rows.values()} - {""})
    left_out: Counter[str] = Counter()
    found: dict[str, tuple[float, RawFile]] = {}
    groups: dict[str, tuple[float, RawFile]] = {}
    for row in sorted(rows.values(), key=lambda r: (r["exp_mjd_start"] or 0.0, r["pk"])):
        reason = why_not(row["authority"], row["exp_header_id"])
        if reason:
            left_out[reason] += 1
            continue
        file = _file(row, now, linked=row["pk"] not in chosen)
        start = row["exp_mjd_start"] or 0.0
        found.setdefault(file.dp_id, (start, file))
        if row["group_key"]:
            groups[row["group_key"]] = (start, file)
    for group, dp_id in _continuations(groups):
        start, first = groups[group]
        if is_dp_id(dp_id):
            further = replace(first, dp_id=dp_id, linked=True)
            found.setdefault(dp_id, (start, further))
        else:
            left_out["the identifier is not of the archive's form"] += 1
    ordered = sorted(found.values(), key=lambda f: (f[1].role is Role.CALIBRATOR, f[0], f[1].dp_id))
    return Downloads(tuple(file for _, file in ordered), tuple(left_out.most_common()), search.words)


def is_dp_id(text: str) -> bool:
    """Whether it is an identifier of a raw file: ``GRAVI.2020-01-09T03:34:07.546``, nothing around it."""
    return _DP_ID.fullmatch(text) is not None


def why_not(authority: str, header_id: str) -> str:
    """Why an exposure has no file in the archive; "" when it has one."""
    if authority.startswith("demo."):
        return "demonstration data: there are no files"
    if authority != AUTHORITIES["VLTI"]:
        return "not from the ESO archive"
    return "" if is_dp_id(header_id) else "the identifier is not of the archive's form"


def _file(row: dict[str, Any], now: datetime, *, linked: bool) -> RawFile:
    release = row["exp_date_release"]
    if release is not None and release.tzinfo is None:
        release = release.replace(tzinfo=UTC)
    return RawFile(
        dp_id=row["exp_header_id"],
        role=Role.SCIENCE if row["obs_type"] == "science" else Role.CALIBRATOR,
        target=row["target__name"],
        instrument=row["instrument_name"],
        programme=row["obs_program"],
        release=release,
        public=release is None or release <= now,
        linked=linked,
    )


def _more(
    rows: dict[int, dict[str, Any]], visible: ExposureQuerySet, lookup: str, values: Iterable[Key]
) -> None:
    """Add the exposures with one of these values to the rows."""
    for part in parts(sorted(values)):
        for row in visible.filter(**{lookup: part}).order_by().values(*_COLUMNS):
            rows.setdefault(row["pk"], row)


def _continuations(groups: Iterable[str]) -> Iterator[tuple[str, str]]:
    for part in parts(sorted(groups)):
        found = ContinuationFile.objects.filter(group_key__in=part).order_by("group_key", "index")
        yield from found.values_list("group_key", "header_id")
