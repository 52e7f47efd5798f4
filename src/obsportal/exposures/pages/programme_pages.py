"""The page of a programme and of one run of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from obsportal.exposures import answers, listing
from obsportal.exposures.pages import addresses, programmes
from obsportal.exposures.pages.place_pages import as_data
from obsportal.exposures.pages.programmes import ObservedTarget, Programme, Tally
from obsportal.exposures.pages.related import Link
from obsportal.exposures.pages.search_pages import DATA_FORMS, bad_request, json_answer, wanted_form
from obsportal.exposures.programme_id import is_technical, period_months, period_of
from obsportal.exposures.projection import AUTHORITIES
from obsportal.exposures.search_values import SearchError

MOST_TARGETS = 150
MOST_NIGHTS = 120
MOST_OTHERS = 15
"""Lines of a table; the searches it links to have them all."""

TAKE_AWAY = (
    ("log", "Observing log"),
    ("downloads", "Download list"),
    ("cite", "Citation and acknowledgement"),
    ("search-atom", "Atom feed"),
)
"""Routes that take a search away, offered where the portal has them."""


@require_safe
def programme_page(request: HttpRequest, identifier: str) -> HttpResponseBase:
    """All that is known of a programme, or of one run."""
    try:
        params = answers.parameters(request)
        form = wanted_form(params)
    except SearchError as error:
        return bad_request(request, error)
    text = identifier.replace("\x00", "").strip()
    name = programmes.known(text, request.user) if len(text) <= 40 else ""
    if not name:
        raise Http404("no exposure of this programme is here")
    if name != identifier:
        kept = f"?{request.GET.urlencode()}" if request.GET else ""
        return HttpResponseRedirect(reverse("programme", args=[name]) + kept)
    if form not in {"html", "json"}:
        return as_data(form, {"program_id": name})
    programme = programmes.find(name, request.user, timezone.now())
    if form == "json":
        return json_answer(as_dict(programme))
    query = {"program_id": name}
    others = programmes.of_same_pi(programme, request.user)
    period = period_of(name)
    context = {
        "programme": programme,
        "tally": programme.tally,
        "runs": programme.runs,
        "several": not programme.run and [run.name for run in programme.runs] != [name],
        "demonstration": any(a.startswith("demo.") for a in programme.authorities),
        "technical": programme.technical or is_technical(name),
        "period": period,
        "months": period_months(period) if period else "",
        "science": programme.science[:MOST_TARGETS],
        "calibrators": programme.calibrators[:MOST_TARGETS],
        "nights": [(night, addresses.night(night.night, night.interferometer)) for night in programme.nights][
            :MOST_NIGHTS
        ],
        "others": others[:MOST_OTHERS],
        "more_others": max(0, len(others) - MOST_OTHERS),
        "outside": outside(programme),
        "take_away": [
            Link(address, words) for route, words in TAKE_AWAY if (address := addresses.page(route, **query))
        ],
        "query": listing.query(query),
        "forms": DATA_FORMS,
    }
    return render(request, "exposures/programme.html", context)


def outside(programme: Programme) -> list[Link]:
    """Pages of ESO about a programme of the VLTI."""
    if AUTHORITIES["VLTI"] not in programme.authorities and programme.tally.exposures:
        return []
    if period_of(programme.name) is None and not is_technical(programme.name):
        return []
    base = "https://archive.eso.org/wdb/wdb/eso"
    return [
        Link(f"{base}/sched_rep_arc/query?{urlencode({'progid': programme.name})}", "Schedule at ESO"),
        Link(
            f"{base}/eso_archive_main/query?{urlencode({'prog_id': programme.name})}",
            "Data in the ESO archive",
        ),
    ]


def as_dict(programme: Programme) -> dict[str, Any]:
    """For JSON. Times are MJD UTC, integration seconds, angles degrees (J2000)."""
    tally = programme.tally
    return {
        "program_id": programme.name,
        "program_root": programme.root,
        "title": tally.title,
        "pi": tally.pi,
        "co_investigators": list(tally.coinvestigators),
        "period": period_of(programme.name),
        "technical": programme.technical,
        **_sums(tally),
        "runs": [
            {"program_id": run.name, "title": run.tally.title, **_sums(run.tally)} for run in programme.runs
        ],
        "science": [_target(found) for found in programme.science],
        "calibrators": [_target(found) for found in programme.calibrators],
        "nights": [
            {
                "night": night.night,
                "interferometer_name": night.interferometer,
                "runs": night.runs,
                **_sums(night.tally),
            }
            for night in programme.nights
        ],
        "exposures_url": reverse("search-data", args=["json"])
        + listing.query({"program_id": programme.name}),
    }


def _sums(tally: Tally) -> dict[str, Any]:
    return {
        "exposures": tally.exposures,
        "observations": len(tally.observations),
        "nights_observed": len(tally.nights),
        "targets": len(tally.targets),
        "exp_time": round(tally.seconds, 3),
        "valid": tally.valid,
        "first_mjd": tally.first,
        "last_mjd": tally.last,
        "release_date": tally.release,
        "proprietary": tally.proprietary,
        "instruments": dict(tally.by_instrument),
        "configurations": dict(tally.by_configuration),
    }


def _target(found: ObservedTarget) -> dict[str, Any]:
    return {
        "target_id": found.target.pk,
        "target_name": found.target.name,
        "target_ra": found.target.ra,
        "target_dec": found.target.dec,
        "exposures": found.tally.exposures,
        "observations": len(found.tally.observations),
        "calibrators": [{"target_id": star.pk, "target_name": star.name} for star in found.calibrators],
    }
