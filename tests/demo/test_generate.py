from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.fits import Header as AstropyHeader

from obsportal.demo.generate import generate, offered_arrays, samples, write_samples
from obsportal.demo.headers import SENTINEL, DemoHeader
from obsportal.demo.instruments import BY_NAME, INSTRUMENTS
from obsportal.demo.nights import Site, altitude, date_of, lst, mjd_of, precess, sun
from obsportal.demo.plan import FAULTS, REMARKS
from obsportal.demo.stars import MAS_PER_DEG, Kind, build_sky
from obsportal.interferometry.facility import facility
from obsportal.interferometry.geometry import project

SEED = 20_260_101
SPAN = {"start": date(2004, 1, 1), "end": date(2026, 6, 30)}


@pytest.fixture(scope="module")
def archive() -> list[DemoHeader]:
    return list(generate(3000, SEED, **SPAN))


@pytest.fixture(scope="module")
def cards(archive: list[DemoHeader]) -> dict[str, AstropyHeader]:
    """A part of the archive as astropy reads it, by identifier."""
    return {h.name: _read(h.text) for h in archive[::6]}


@pytest.fixture(scope="module")
def kinds() -> dict[str, DemoHeader]:
    return dict(samples(SEED))


def _read(text: str) -> AstropyHeader:
    return AstropyHeader.fromstring(text.rstrip("\n"), sep="\n")


def _expected(archive: list[DemoHeader], what: str) -> list[DemoHeader]:
    return [header for header in archive if header.expected == what]


def _site(header: AstropyHeader) -> Site:
    place = facility("VLTI" if header["INSTRUME"].strip() != "SPICA" else "CHARA")
    return Site(place.name, place.longitude_deg, place.latitude_deg)


def _key(header: AstropyHeader, name: str) -> object:
    return header.get(f"ESO {name}", header.get(name))


def test_the_same_seed_gives_the_same_headers() -> None:
    first = list(generate(150, 7, **SPAN))
    second = list(generate(150, 7, **SPAN))
    assert first == second
    assert [h.text for h in generate(150, 8, **SPAN)] != [h.text for h in first]


def test_a_night_does_not_depend_on_the_nights_before_it() -> None:
    whole = {h.name: h.text for h in generate(40_000, 7, start=date(2019, 3, 1), end=date(2019, 3, 6))}
    part = {h.name: h.text for h in generate(40_000, 7, start=date(2019, 3, 4), end=date(2019, 3, 4))}
    assert part
    assert part.items() <= whole.items()


def test_the_shares_of_sound_refused_and_invalid_headers_are_as_documented(archive: list[DemoHeader]) -> None:
    counts = Counter(header.expected for header in archive)
    assert counts["exposure"] == pytest.approx(3000, rel=0.02)
    assert counts["refused"] / 3000 == pytest.approx(0.03, abs=0.012)
    assert counts["invalid"] / 3000 == pytest.approx(0.02, abs=0.010)


def test_every_instrument_and_every_damage_occurs_within_its_era(archive: list[DemoHeader]) -> None:
    by_instrument = defaultdict(list)
    for header in archive:
        by_instrument[header.archive_row["instrument"]].append(header.archive_row["exp_start"][:10])
    assert set(by_instrument) == set(BY_NAME)
    for name, days in by_instrument.items():
        assert BY_NAME[name].first.isoformat() <= min(days)
        assert max(days) <= BY_NAME[name].last.isoformat()
    assert {h.damage for h in _expected(archive, "invalid")} == set(FAULTS)
    assert {h.damage for h in _expected(archive, "exposure")} == {"", *REMARKS}


def test_headers_come_in_time_order_with_unique_identifiers(archive: list[DemoHeader]) -> None:
    starts = [h.archive_row["exp_start"] for h in archive]
    assert starts == sorted(starts)
    assert len({h.name for h in archive}) == len(archive)


def test_pointings_are_about_as_many_per_exposure_as_in_the_archive(archive: list[DemoHeader]) -> None:
    sound = _expected(archive, "exposure")
    pointings = {(h.archive_row["ra"], h.archive_row["dec"]) for h in sound}
    assert len(pointings) / len(sound) == pytest.approx(35_277 / 342_284, rel=0.30)


def test_every_header_is_marked_as_demonstration(
    archive: list[DemoHeader], cards: dict[str, AstropyHeader]
) -> None:
    assert all(h.name.startswith("DEMO.") and h.archive_row["dp_id"] == h.name for h in archive)
    for name, header in cards.items():
        assert header["ARCFILE"].strip() == f"{name}.fits"
        assert header["ORIGIN"] == "OBSPORTAL-DEMO"
        assert "demonstration" in str(header["COMMENT"])
    assert all(h.archive_row["prog_title"].startswith("Demonstration: ") for h in archive)


def test_cards_have_eighty_columns(archive: list[DemoHeader]) -> None:
    assert {len(card) for h in archive for card in h.text.rstrip("\n").split("\n")} == {80}
    assert all(h.text.rstrip("\n").split("\n")[-1].strip() == "END" for h in archive)


def test_astropy_reads_each_kind_without_a_warning(kinds: dict[str, DemoHeader]) -> None:
    assert len(kinds) > 40
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for header in kinds.values():
            read = _read(header.text)
            read_values = [card.value for card in read.cards]
            assert len(read_values) > 60
            for card in read.cards:
                card.verify("exception")


def test_exposures_lie_between_dusk_and_dawn(cards: dict[str, AstropyHeader]) -> None:
    for header in cards.values():
        site, mjd = _site(header), np.array([header["MJD-OBS"]])
        ra, dec = sun(mjd)
        assert altitude(site, mjd, ra, dec)[0] < (-11.9 if site.name == "VLTI" else -17.9)


def test_targets_are_high_enough_from_start_to_end(
    archive: list[DemoHeader], cards: dict[str, AstropyHeader]
) -> None:
    sound = {h.name for h in _expected(archive, "exposure")}
    checked = 0
    for name, header in cards.items():
        if name not in sound:
            continue
        site = _site(header)
        times = header["MJD-OBS"] + np.array([0.0, header["EXPTIME"] / 86400.0])
        ra, dec = precess(np.array([header["RA"]]), np.array([header["DEC"]]), times[0])
        heights = altitude(site, times, ra, dec)
        assert heights.min() > 30.0
        assert heights.max() < 87.0
        assert _key(header, "ISS ALT") == pytest.approx(heights[0], abs=0.01)
        checked += 1
    assert checked > 300


def test_baselines_of_the_header_agree_with_the_geometry(cards: dict[str, AstropyHeader]) -> None:
    checked = 0
    for header in cards.values():
        if _key(header, "ISS CONF NTEL") is None or header["RA"] < 0:
            continue
        place = facility(_site(header).name)
        stations = [
            str(_key(header, f"ISS CONF STATION{i + 1}")).strip()
            for i in range(int(_key(header, "ISS CONF NTEL")))
        ]
        position = {name: i for i, name in enumerate(stations, 1)}
        for found in project(place, stations, header["MJD-OBS"], header["RA"], header["DEC"]):
            pair = f"{position[found.first]}{position[found.second]}"
            assert _key(header, f"ISS PBL{pair} START") == pytest.approx(found.length, abs=0.05)
            turn = (float(_key(header, f"ISS PBLA{pair} START")) - found.angle + 180.0) % 360.0 - 180.0
            assert abs(turn) < 0.2
            checked += 1
    assert checked > 2000


def test_sidereal_time_and_packed_coordinates_agree_with_the_decimal_ones(
    cards: dict[str, AstropyHeader],
) -> None:
    for header in cards.values():
        site = _site(header)
        assert header["LST"] / 240.0 == pytest.approx(
            float(lst(np.float64(header["MJD-OBS"]), site.longitude)), abs=1e-4
        )
        if "RA" not in header or header["RA"] < 0:
            continue
        packed = f"{_key(header, 'ISS REF RA'):010.3f}"
        degrees = 15.0 * (int(packed[:2]) + int(packed[2:4]) / 60.0 + float(packed[4:]) / 3600.0)
        assert degrees == pytest.approx(header["RA"], abs=1e-5)


def test_the_stations_were_offered_or_known(cards: dict[str, AstropyHeader]) -> None:
    bases = Counter()
    for header in cards.values():
        count = _key(header, "ISS CONF NTEL")
        if count is None:
            continue
        stations = [str(_key(header, f"ISS CONF STATION{i + 1}")).strip() for i in range(int(count))]
        match = facility(_site(header).name).configuration(
            stations, header["MJD-OBS"], header["INSTRUME"].strip()
        )
        bases[match.basis] += 1
    assert set(bases) <= {"offered", "equivalent"}
    assert bases["offered"] > 0.6 * sum(bases.values())


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_every_night_of_an_era_has_arrays(instrument) -> None:
    place = facility(instrument.site)
    last = min(mjd_of(instrument.last), mjd_of(date(2026, 6, 30)))
    for night in range(mjd_of(instrument.first), last, 91):
        arrays = offered_arrays(place, place.version_at(night + 1.2), instrument.name, instrument.telescopes)
        assert arrays
        assert {len(array) for array in arrays} == {instrument.telescopes}


def test_pointings_follow_the_proper_motion_within_the_scatter(archive: list[DemoHeader]) -> None:
    sky = build_sky(SEED)
    by_name = {name: target for target in sky.targets for name in target.names}
    moved = 0
    for header in _expected(archive, "exposure")[::3]:
        row = header.archive_row
        target = by_name.get(row["target"]) or by_name[row["target"].replace("_", " ")]
        night = mjd_of(date.fromisoformat(row["exp_start"][:10]))
        years = (night - 51544.5) / 365.25
        shift = np.hypot(target.pm_ra, target.pm_dec) * years / MAS_PER_DEG * 3600.0
        there = SkyCoord(row["ra"], row["dec"], unit="deg")
        at_2000 = SkyCoord(target.ra, target.dec, unit="deg")
        ra = target.ra + target.pm_ra * years / MAS_PER_DEG / np.cos(np.radians(target.dec))
        now = SkyCoord(ra, target.dec + target.pm_dec * years / MAS_PER_DEG, unit="deg")
        assert there.separation(now).arcsec < min(6.0 * target.scatter, 20.0) + 0.2
        if shift > 8.0 and target.kind is Kind.STAR:
            assert there.separation(at_2000).arcsec > there.separation(now).arcsec
            moved += 1
    assert moved > 5


def test_concatenations_share_a_container_and_calibrators_surround_science(archive: list[DemoHeader]) -> None:
    containers = defaultdict(set)
    for header in archive:
        read = header.text
        if "OBS CONTAINER TYPE = 'C" in read:
            number = int(read.split("OBS CONTAINER ID = ")[1][:8])
            containers[number].add((header.archive_row["ob_id"], header.archive_row["ob_name"][:3]))
    assert len(containers) > 20
    several = [blocks for blocks in containers.values() if len(blocks) > 1]
    assert len(several) > 0.6 * len(containers)
    assert all({role for _, role in blocks} == {"CAL", "SCI"} for blocks in several)


def test_matisse_gives_one_header_for_each_detector(archive: list[DemoHeader]) -> None:
    pairs = defaultdict(list)
    for header in archive:
        row = header.archive_row
        if row["instrument"] == "MATISSE" and header.expected != "refused":
            band = "LM" if "MATISSE-LM" in header.text else "N"
            pairs[row["tpl_start"], row["tpl_expno"]].append(band)
    assert pairs
    assert all(sorted(bands) == ["LM", "N"] for bands in pairs.values())


def test_dual_field_headers_name_both_objects(kinds: dict[str, DemoHeader]) -> None:
    header = _read(kinds["GRAVITY_science-dual"].text)
    assert header["ESO DPR TYPE"].strip() == "OBJECT,DUAL"
    assert header["ESO TPL ID"].strip() == "GRAVITY_dual_obs_exp"
    assert header["ESO INS SOBJ NAME"].strip() != header["ESO FT ROBJ NAME"].strip()
    offset = np.hypot(header["ESO INS SOBJ X"], header["ESO INS SOBJ Y"])
    assert header["ESO INS ROOF POS"].strip() == ("OFFAXIS" if offset > 1000 else "ONAXIS")


def test_seeing_and_coherence_time_are_anticorrelated(archive: list[DemoHeader]) -> None:
    pairs = []
    for header in _expected(archive, "exposure"):
        if header.damage:
            continue
        seeing = float(header.text.split("AMBI FWHM START = ")[1][:5])
        tau0 = float(header.text.split("AMBI TAU0 START = ")[1][:8])
        pairs.append((seeing, tau0))
    assert all(0.3 < seeing < 2.7 and 0.0008 < tau0 < 0.02 for seeing, tau0 in pairs)
    assert np.corrcoef(np.array(pairs).T)[0, 1] < -0.5


def test_the_weather_of_a_night_is_smooth(archive: list[DemoHeader]) -> None:
    nights = defaultdict(list)
    for header in _expected(archive, "exposure"):
        if header.archive_row["instrument"] == "SPICA":
            continue
        mjd = float(header.text.split("MJD-OBS =")[1][:22])
        nights[int(mjd - 0.7)].append((mjd, float(header.text.split("AMBI TEMP = ")[1][:6])))
    for series in nights.values():
        for (before, first), (after, second) in pairwise(series):
            if after - before < 10.0 / 1440.0:
                assert abs(second - first) < 1.5


def test_science_is_released_after_a_year_and_calibrators_at_once(archive: list[DemoHeader]) -> None:
    for header in archive:
        row = header.archive_row
        days = (date.fromisoformat(row["release_date"][:10]) - date.fromisoformat(row["exp_start"][:10])).days
        assert days == (365 if row["dp_cat"] == "SCIENCE" else 0)
        assert row["exp_start"] < row["last_mod_date"]


def test_undefined_coordinates_are_the_archives_sentinel(archive: list[DemoHeader]) -> None:
    broken = [h for h in archive if h.damage == "sentinel"]
    assert broken
    assert all(float(h.text.split("RA      =")[1][:21]) == pytest.approx(SENTINEL, abs=1e-6) for h in broken)


def test_dark_frames_have_no_position_and_no_stations(kinds: dict[str, DemoHeader]) -> None:
    dark = _read(kinds["PIONIER_dark"].text)
    assert "RA" not in dark
    assert "ESO ISS CONF NTEL" not in dark


def test_both_grammars_of_programme_identifiers_occur(archive: list[DemoHeader]) -> None:
    programmes = {h.archive_row["prog_id"] for h in archive}
    assert any(p.startswith("60.A-9") for p in programmes)
    assert any("(" in p and not p.startswith("60.") for p in programmes)
    assert any(p.count(".") == 2 for p in programmes)


def test_write_samples_writes_one_header_of_each_kind(tmp_path: Path) -> None:
    written = write_samples(tmp_path / "demo", SEED)
    assert len(written) == len({path.name for path in written}) > 40
    names = {path.stem for path in written}
    for instrument in INSTRUMENTS:
        bands = [f"_{band}" if band else "" for band in instrument.bands]
        assert {
            f"{instrument.name}{band}_{role}" for band in bands for role in ("science", "calibrator")
        } <= names
        assert any(name.startswith(instrument.name) and name.endswith("sentinel") for name in names)
    assert all(path.read_text(encoding="latin-1").startswith("SIMPLE  =") for path in written)


def test_no_exposures_and_impossible_requests() -> None:
    assert list(generate(0, **SPAN)) == []
    with pytest.raises(ValueError, match="before the start"):
        list(generate(10, start=date(2020, 1, 2), end=date(2020, 1, 1)))
    with pytest.raises(ValueError, match="0 or more"):
        list(generate(-1, **SPAN))


def test_a_span_too_short_gives_what_its_nights_can_hold() -> None:
    found = list(generate(50_000, start=date(2020, 1, 1), end=date(2020, 1, 2)))
    nights = {date_of(int(mjd_of(date.fromisoformat(h.archive_row["exp_start"][:10])))) for h in found}
    assert 50 < len(found) < 2000
    assert nights <= {date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 3)}
