"""What belongs to an exposure: its pair, its other fields, its further files, its block, the outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.db.models import Q
from django.urls import reverse
from django.utils.http import urlencode

from obsportal.exposures.corrections import standing
from obsportal.exposures.models import ContinuationFile, Exposure, Override, Target
from obsportal.exposures.pages import observation_facts
from obsportal.exposures.pages.observation_facts import Linked
from obsportal.exposures.projection import AUTHORITIES

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor


@dataclass(frozen=True, slots=True)
class Link:
    """A link with its words."""

    address: str
    words: str


def siblings(exposure: Exposure, actor: Actor) -> list[tuple[str, Exposure]]:
    """Exposures of the same shutter opening or the same header, with the word for what they share."""
    same = Q(exp_header_id=exposure.exp_header_id)
    if exposure.pair_key:
        same |= Q(pair_key=exposure.pair_key)
    rows = Exposure.objects.visible_to(actor).filter(same).exclude(pk=exposure.pk).order_by("exp_id")
    shown = rows.only("exp_id", "exp_header_id", "instrument_name", "instrument_variant", "instrument_mode")
    return [
        ("same header" if row.exp_header_id == exposure.exp_header_id else "same shutter opening", row)
        for row in shown[:20]
    ]


def further_files(exposure: Exposure) -> list[ContinuationFile]:
    """The continuation files of an exposure that was split on disk."""
    if not exposure.group_key:
        return []
    return list(ContinuationFile.objects.filter(group_key=exposure.group_key).order_by("index")[:100])


def same_block(exposure: Exposure, actor: Actor) -> int:
    """How many other exposures its observing block has."""
    if exposure.obs_id is None:
        return 0
    rows = Exposure.objects.visible_to(actor).filter(obs_id=exposure.obs_id)
    return rows.exclude(pk=exposure.pk).count()


def calibrators(exposure: Exposure, actor: Actor) -> list[Linked]:
    """The calibrators of a science exposure: those of its observation in its instrument variant."""
    if exposure.observation_id is None or exposure.obs_type == "calibrator":
        return []
    found = observation_facts.calibrators([exposure.observation_id], actor)
    return [one for one in found if not one.variants or exposure.instrument_variant in one.variants]


def sciences(exposure: Exposure, actor: Actor) -> list[Linked]:
    """The science that a calibrator exposure serves, in its instrument variant."""
    if exposure.observation_id is None or exposure.obs_type != "calibrator":
        return []
    found = observation_facts.sciences([exposure.observation_id], actor)
    return [one for one in found if not one.variants or exposure.instrument_variant in one.variants]


@dataclass(frozen=True, slots=True)
class Correction:
    """An override in force."""

    row: Override
    header_value: str


def corrections(exposure: Exposure) -> list[Correction]:
    """The overrides in force, with what the header says where that is kept."""
    return [
        Correction(row, exposure.obs_type_header if row.field == "obs_type" else "")
        for row in sorted(standing([exposure.pk]), key=lambda row: row.field)
    ]


def outside(exposure: Exposure) -> list[Link]:
    """Pages elsewhere about the exposure, its programme and its target."""
    links = []
    if exposure.authority == AUTHORITIES["VLTI"]:
        dp_id = quote(exposure.exp_header_id, safe=":")
        links.append(Link(f"https://archive.eso.org/dataset/{dp_id}", "Data in the ESO archive"))
        links.append(Link(f"https://archive.eso.org/hdr?DpId={dp_id}", "Header in the ESO archive"))
        if exposure.obs_program:
            run = urlencode({"progid": exposure.obs_program})
            links.append(
                Link(f"https://archive.eso.org/wdb/wdb/eso/sched_rep_arc/query?{run}", "Programme at ESO")
            )
    return links + simbad(exposure.target)


def simbad(target: Target) -> list[Link]:
    """Simbad by name and by position."""
    base = "https://simbad.cds.unistra.fr/simbad"
    links = []
    if target.name and target.name != "-":
        links.append(Link(f"{base}/sim-id?{urlencode({'Ident': target.name})}", "Simbad, by name"))
    if target.ra is not None and target.dec is not None:
        links.append(simbad_position(target.ra, target.dec))
    return links


def simbad_position(ra: float, dec: float, radius_arcsec: float = 10) -> Link:
    """Simbad around a position in degrees."""
    place = {"Coord": f"{ra:.6f} {dec:+.6f}", "Radius": f"{radius_arcsec:g}", "Radius.unit": "arcsec"}
    query = urlencode(place)
    return Link(f"https://simbad.cds.unistra.fr/simbad/sim-coo?{query}", "Simbad, by position")


def vizier(target: Target) -> list[Link]:
    """The catalogues of VizieR by name and by position."""
    base = "https://vizier.cds.unistra.fr/viz-bin/VizieR-4"
    links = []
    if target.name and target.name != "-":
        links.append(Link(f"{base}?{urlencode({'-c': target.name, '-c.rs': '10'})}", "VizieR, by name"))
    if target.ra is not None and target.dec is not None:
        place = {"-c": f"{target.ra:.6f} {target.dec:+.6f}", "-c.rs": "10"}
        links.append(Link(f"{base}?{urlencode(place)}", "VizieR, by position"))
    return links


def as_dict(exposure: Exposure) -> dict[str, Any]:
    """Every column of an exposure by name, with its target, for JSON."""
    skipped = {"id", "header", "provenance", "target", "ft_target", "exp_messages"}
    skipped |= {"pointing_x", "pointing_y", "pointing_z"}
    values = {f.name: getattr(exposure, f.name) for f in exposure._meta.fields if f.name not in skipped}
    return {**values, "target": target_dict(exposure.target), "ft_target": target_dict(exposure.ft_target)}


def target_dict(target: Target | None) -> dict[str, Any] | None:
    """A target for JSON: degrees, J2000."""
    if target is None:
        return None
    return {
        "target_id": target.pk,
        "target_name": target.name,
        "target_ra": target.ra,
        "target_dec": target.dec,
        "url": reverse("target", args=[target.pk]),
    }
