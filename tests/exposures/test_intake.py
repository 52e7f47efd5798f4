"""Frames of MIRC-X and the observing log meet in the records, whichever comes first."""

from __future__ import annotations

import pytest

from obsportal.accounts.access import Visibility
from obsportal.exposures.intake import LogRefusedError, ingest_chara_log, ingest_sources
from obsportal.exposures.models import Exposure, HeaderVersion, RefusedHeader
from obsportal.exposures.services import IngestOptions, IngestReport
from obsportal.formats.header_sources import HeaderSource

pytestmark = pytest.mark.django_db

NIGHT = 59818.35
COLUMNS = "UT-DATE,STAR,PI,PROGRAM,COMBINER,TYPE,MJD,FILTER,SCOPES,B1,B2,B3,T0_OBS,T0_500nm,RA,DEC"
LOG = (
    f"{COLUMNS}\n"
    f'2022-08-27,HD 698,"Monnier, J.",M12,MIRC-X,CAL1,{NIGHT + 1 / 1440},H_PRISM50,S1S2E1E2W1,100,,,9.0,8.0,2.9047792,58.2118306\n'
).encode()


def frames(number: int = 20) -> list[tuple[HeaderSource, None]]:
    made = []
    for k in range(number):
        unix = (NIGHT + k / 5 / 1440 - 40587) * 86400
        cards: dict[str, object] = {
            "SIMPLE": True, "INSTRUME": "MIRC-X", "OBJECT": "HD_698", "FILETYPE": "DATA", "CONF_NA": "H_PRISM50",
            "GAIN": 60, "STARTFR": 1, "LASTFR": 1000, "EXPOSURE": 10.0, "TIME_S": int(unix),
            "TIME_US": round((unix - int(unix)) * 1e9), "RA": "00:11:37.147", "DEC": "58:12:42.59",
        }  # fmt: skip
        words = ("T" if v is True else f"'{v}'" if isinstance(v, str) else repr(v) for v in cards.values())
        text = "\n".join([*(f"{key:<8}= {word}" for key, word in zip(cards, words, strict=True)), "END", ""])
        made.append((HeaderSource(f"mircx{k:03}.fits", text), None))
    return made


def shown() -> list[Exposure]:
    return list(Exposure.objects.visible_to(None).order_by("exp_mjd_start"))


def take_frames() -> IngestReport:
    return ingest_sources(iter(frames()))


def take_log() -> IngestReport:
    return ingest_chara_log(LOG, "night.csv")


@pytest.mark.parametrize("order", [(take_frames, take_log), (take_log, take_frames)])
def test_one_exposure_of_the_frames_carries_programme_role_and_stations_of_the_log(order: tuple[object, ...]):
    for take in order:
        take()  # type: ignore[operator]
    (exposure,) = shown()
    assert exposure.exp_id == "MIRCX.2022-08-27T08:24:00.000_1"
    assert (exposure.obs_program, exposure.obs_program_pi_coi) == ("M12", "Monnier, J.")
    assert (exposure.obs_type, exposure.obs_type_header) == ("calibrator", "CAL1")
    assert exposure.interferometer_stations == "S1 S2 E1 E2 W1"
    assert exposure.exp_projected_baselines.count("length") == 10
    assert exposure.exp_time == pytest.approx(200, abs=1)


@pytest.mark.parametrize("order", [(take_frames, take_log), (take_log, take_frames)])
def test_taking_both_again_changes_nothing(order: tuple[object, ...]):
    for take in order:
        take()  # type: ignore[operator]
    before = list(Exposure.objects.order_by("pk").values())
    for take in order:
        take()  # type: ignore[operator]
    after = list(Exposure.objects.order_by("pk").values())
    drop = {"exp_date_updated"}
    assert [{k: v for k, v in row.items() if k not in drop} for row in after] == [
        {k: v for k, v in row.items() if k not in drop} for row in before
    ]


def test_the_entry_of_the_log_stays_in_the_records_out_of_sight():
    take_log()
    (entry,) = shown()
    assert entry.exp_id.startswith("CHARA.")
    take_frames()
    assert Exposure.objects.get(pk=entry.pk).visibility == Visibility.REPLACED
    assert len(shown()) == 1


PROTECTED = IngestOptions(visibility=Visibility.PROTECTED)


@pytest.mark.parametrize("frames_first", [True, False])
def test_protected_frames_hide_nothing_public_and_still_take_what_the_log_tells(frames_first: bool):
    if frames_first:
        ingest_sources(iter(frames()), options=PROTECTED)
    take_log()
    if not frames_first:
        ingest_sources(iter(frames()), options=PROTECTED)
    (entry,) = shown()
    assert entry.exp_id.startswith("CHARA.")
    ours = Exposure.objects.get(exp_id__startswith="MIRCX")
    assert (ours.visibility, ours.obs_program) == (Visibility.PROTECTED, "M12")


def test_public_frames_take_nothing_from_a_protected_entry_of_the_log():
    ingest_chara_log(LOG, "night.csv", PROTECTED)
    take_frames()
    (ours,) = shown()
    assert (ours.obs_program, ours.obs_program_pi_coi) == ("", "")


def test_public_and_protected_frames_are_never_one_block():
    ingest_sources(iter(frames(20)[::2]), options=PROTECTED)
    ingest_sources(iter(frames(20)[1::2]))
    (ours,) = shown()
    assert ours.exp_time == pytest.approx(100, abs=1)


def test_frames_that_are_no_data_are_refused_each_with_its_reason():
    sources = frames(3)
    dark = HeaderSource("dark.fits", (sources[0][0].text or "").replace("'DATA'", "'BACKGROUND'"))
    report = ingest_sources(iter([*sources, (dark, None)]))
    assert (report.added, report.refused) == (1, 1)
    assert "BACKGROUND" in RefusedHeader.objects.get().reason


def test_a_file_that_is_no_log_is_refused_whole_and_a_bad_line_alone():
    with pytest.raises(LogRefusedError, match="UT-DATE"):
        ingest_chara_log(b"a,b\n1,2\n", "x.csv")
    bad = LOG + LOG.splitlines()[1].replace(b"MIRC-X", b"WARP").replace(b"M12", b"M13") + b"\n"
    report = ingest_chara_log(bad, "night.csv")
    assert (report.added, report.refused) == (1, 1)
    assert "WARP" in report.refused_items[0].reason


@pytest.mark.parametrize(
    "parts", [(slice(0, 9), slice(9, 20)), (slice(9, 20), slice(0, 9)), (slice(0, 14), slice(6, 20))]
)
def test_a_night_that_arrives_in_parts_gives_the_blocks_of_the_whole(parts: tuple[slice, slice]):
    take_frames()
    (whole,) = shown()
    expected = (whole.exp_id, whole.exp_mjd_start, whole.exp_mjd_end, whole.exp_time)
    Exposure.objects.all().delete()
    HeaderVersion.objects.all().delete()
    for part in parts:
        ingest_sources(iter(frames()[part]))
    (exposure,) = shown()
    assert (exposure.exp_id, exposure.exp_mjd_start, exposure.exp_mjd_end, exposure.exp_time) == expected
