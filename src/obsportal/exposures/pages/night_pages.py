"""The page of a night: what each interferometer did, on an axis of time and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from obsportal.exposures import listing
from obsportal.exposures.pages import night_log
from obsportal.exposures.pages.place_pages import as_data
from obsportal.exposures.pages.search_pages import DATA_FORMS, bad_request, fresh, json_answer, wanted_form
from obsportal.exposures.plots import nightline
from obsportal.exposures.search_values import SearchError, shown
from obsportal.interferometry.facility import Facility, facilities
from obsportal.interferometry.sun import Darkness, darkness_at
from obsportal.interferometry.times import lst_hours

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor


def _interferometer(text: str) -> str:
    known = {name.upper(): name for name in facilities()}
    if text.upper() not in known:
        allowed = ", ".join(known.values())
        raise SearchError("interferometer", f"interferometer is {shown(text)}: known are {allowed}")
    return known[text.upper()]


@dataclass(frozen=True)
class Shift:
    """One interferometer's part of a night."""

    interferometer: str
    night: date
    executions: list[night_log.Execution]
    totals: night_log.Totals
    programmes: list[night_log.ProgrammeShare]
    site: Facility | None
    sun: Darkness | None

    @property
    def dark_hours(self) -> float | None:
        """Hours between the astronomical twilights."""
        return (self.sun.dark[1] - self.sun.dark[0]) * 24 if self.sun and self.sun.dark else None

    @property
    def idle(self) -> list[tuple[float, float]]:
        """The parts of the dark time without an observation (MJD)."""
        if not self.sun or not self.sun.dark:
            return []
        return night_log.idle(night_log.busy(self.executions), self.sun.dark)

    @property
    def idle_s(self) -> float:
        """Their sum, seconds."""
        return sum(b - a for a, b in self.idle) * night_log.DAY_S

    @property
    def breaks(self) -> list[tuple[float, float]]:
        """Those of them that are long."""
        return [(a, b) for a, b in self.idle if (b - a) * night_log.DAY_S >= night_log.IDLE_S]

    @property
    def demonstration(self) -> bool:
        """Whether its exposures are invented."""
        return any(s.authority.startswith("demo.") for one in self.executions for s in one.shots)


def shift(night: date, interferometer: str, actor: Actor) -> Shift:
    """What an interferometer did in a night, as far as the actor may see."""
    found = night_log.executions(night_log.fetch(night, interferometer, actor))
    night_log.link(found, actor)
    site = facilities().get(interferometer)
    return Shift(
        interferometer, night, found, night_log.totals(found), night_log.programmes(found),
        site, darkness_at(night, site) if site else None,
    )  # fmt: skip


@require_safe
@fresh
def night_page(request: HttpRequest, night: str, interferometer: str = "") -> HttpResponseBase:
    """A night, found by the local date of its evening, or by that of its morning when it alone has data."""
    params = request.GET.dict()
    try:
        form = wanted_form(params)
        begins = night_log.read_night(night)
        where = _interferometer(interferometer) if interferometer else ""
    except SearchError as error:
        return bad_request(request, error)
    before = begins - timedelta(days=1) if begins > date.min else begins
    seen = night_log.interferometers([before, begins], request.user)
    here = [name for name in seen[begins] if where in {"", name}]
    ended = [name for name in seen[before] if where in {"", name}]
    if form not in {"html", "json"}:
        chosen = {"night": begins.isoformat()}
        return as_data(form, chosen | ({"interferometer": where} if where else {}))
    if "/" in night:
        return HttpResponseRedirect(address(begins, where, params))
    if ended and not here:
        return HttpResponseRedirect(address(before, where, params))
    shifts = [shift(begins, name, request.user) for name in here]
    if form == "json":
        return json_answer(_json(begins, where, shifts))
    near = night_log.neighbours(begins, request.user, where)
    query = {"night": begins.isoformat()} | ({"interferometer": where} if where else {})
    context = {
        "night": begins,
        "label": night_log.label(begins),
        "morning": begins + timedelta(days=1),
        "interferometer": where,
        "others": [name for name in seen[begins] if name not in here] if where else [],
        "shifts": [_shown(one) for one in shifts],
        "before": _near(near.before, where),
        "after": _near(near.after, where),
        "ended": _near(before, where) if ended and here else None,
        "own": query,
        "query": listing.query(query),
        "forms": DATA_FORMS if shifts else (),
    }
    return render(request, "exposures/night.html", context)


def address(night: date, interferometer: str = "", params: dict[str, str] | None = None) -> str:
    """The address of a night's page."""
    args = [night.isoformat(), interferometer] if interferometer else [night.isoformat()]
    return reverse("night", args=args) + (f"?{urlencode(params)}" if params else "")


def _near(night: date | None, interferometer: str) -> dict[str, str] | None:
    if night is None:
        return None
    return {"address": address(night, interferometer), "label": night_log.label(night)}


def _shown(one: Shift) -> dict[str, Any]:
    drawing = nightline.draw(night_log.strands(one.executions), one.executions, one.site, one.sun)
    return {
        "shift": one,
        "line": drawing,
        "row_height": nightline.ROW,
        "top": nightline.TOP,
        "panel_height": nightline.PANEL,
        "instruments": list(dict.fromkeys(e.first.instrument for e in one.executions)),
        "stations": list(dict.fromkeys(_array(e.first) for e in one.executions if e.first.stations)),
        "address": address(one.night, one.interferometer),
    }


def _array(shot: night_log.Shot) -> str:
    return f"{shot.stations} ({shot.configuration})" if shot.configuration else shot.stations


def _json(night: date, interferometer: str, shifts: list[Shift]) -> dict[str, Any]:
    query = {"night": night.isoformat()} | ({"interferometer": interferometer} if interferometer else {})
    return {
        "night": night.isoformat(),
        "label": night_log.label(night),
        "exposures": sum(one.totals.exposures for one in shifts),
        "exposures_url": f"{reverse('search-data', args=['json'])}{listing.query(query)}",
        "interferometers": [_shift_json(one) for one in shifts],
    }


def _shift_json(one: Shift) -> dict[str, Any]:
    totals = one.totals
    return {
        "interferometer_name": one.interferometer,
        "sun_mjd": {name.value: list(span) for name, span in one.sun.spans.items()} if one.sun else {},
        "exposures": totals.exposures,
        "exposures_valid": totals.valid,
        "observations": totals.observations,
        "targets": totals.targets,
        "programmes": [
            {
                "obs_program": share.program,
                "obs_program_title": share.title,
                "obs_program_pi_coi": share.pi,
                "observations": share.observations,
                "exposures": share.exposures,
                "exp_time_s": share.integration,
            }
            for share in one.programmes
        ],
        "exp_time_s": totals.integration,
        "observing_s": totals.busy,
        "dark_without_observation_s": one.idle_s,
        "mjd_start": totals.start,
        "mjd_end": totals.end,
        "seeing_mean": totals.seeing,
        "tau0_mean_s": totals.tau0,
        "sequence": [_execution_json(e, one.site) for e in one.executions],
    }


def _execution_json(one: night_log.Execution, site: Facility | None) -> dict[str, Any]:
    first = one.first
    return {
        "observation": one.key or None,
        "basis": first.basis,
        "url": reverse("observation", args=[one.key]) if one.key else None,
        "mjd_start": one.start,
        "mjd_end": one.end,
        "lst_start_h": lst_hours(one.start, site) if site and one.start is not None else None,
        "targets": [
            {"target_id": t.pk, "target_name": t.name, "obs_type": "science" if t.science else "calibrator"}
            for t in one.targets
        ],
        "instrument_name": first.instrument,
        "instrument_modes": one.modes,
        "interferometer_stations": first.stations,
        "configuration": first.configuration,
        "obs_program": first.program,
        "exposures": [shot.exp_id for shot in one.shots],
        "exp_time_s": one.integration,
        "seeing_mean": one.seeing,
        "tau0_mean_s": one.tau0,
        "calibrators": [c.observation.key for c in one.calibrators],
        "calibrates": [c.observation.key for c in one.sciences],
    }
