"""Star lists: found columns, units, epochs, and clear words about what is wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from astropy import units as u
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obsportal.stars.list_file import ListError, read_list


def written(folder: Path, text: str | bytes, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "name,ra,dec,pmra,pmdec\nVega,279.23473,38.78369,200.94,286.23\n",
        "MAIN_ID,RAJ2000,DEJ2000,pmRA,pmDE\nVega,279.23473,38.78369,200.94,286.23\n",
        "star,ra,dec,pm_ra,pm_dec\nVega,18:36:56.335,+38:47:01.28,200.94,286.23\n",
        "star,ra,dec,pm_ra,pm_dec\nVega,18 36 56.335,38 47 01.28,200.94,286.23\n",
    ],
)
def test_columns_are_found_by_their_usual_names(tmp_path: Path, text: str):
    (star,) = read_list(written(tmp_path, text))
    assert star.name == "Vega"
    assert star.ra == pytest.approx(279.23473, abs=1e-5)
    assert star.dec == pytest.approx(38.78369, abs=1e-5)
    assert (star.pm_ra, star.pm_dec) == (200.94, 286.23)


def test_other_names_come_from_catalogue_columns_and_from_lists(tmp_path: Path):
    text = "name,names,HD,HIP,ra,dec\nVega,alf Lyr | HR 7001;Wega,172167,,279.2,38.8\nSirius,,HD 48915,32349,101.3,-16.7\n"
    vega, sirius = read_list(written(tmp_path, text))
    assert vega.names == ("Vega", "HD 172167", "alf Lyr", "HR 7001", "Wega")
    assert sirius.names == ("Sirius", "HD 48915", "HIP 32349")
    (one,) = read_list(written(tmp_path, "HD,ra,dec\n172167,279.2,38.8\n"))
    assert one.name == "HD 172167"


@pytest.mark.parametrize(("suffix", "form"), [("ecsv", "ascii.ecsv"), ("vot", "votable"), ("fits", "fits")])
def test_units_are_honoured_in_every_format(tmp_path: Path, suffix: str, form: str):
    table = Table(
        {
            "name": ["Vega", "Bare"],
            "ra": [18.6156487, 1.0] * u.hourangle if suffix == "ecsv" else [279.2347305, 15.0] * u.deg,
            "dec": [38.78369, 2.0] * u.deg,
            "pmra": [0.20094, float("nan")] * u.arcsec / u.yr,
            "pmdec": [0.28623, float("nan")] * u.arcsec / u.yr,
            "parallax": [0.13023, float("nan")] * u.arcsec,
        }
    )
    path = tmp_path / f"list.{suffix}"
    table.write(path, format=form)
    vega, bare = read_list(path)
    assert (vega.ra, vega.dec) == pytest.approx((279.23473, 38.78369), abs=1e-5)
    assert (vega.pm_ra, vega.pm_dec, vega.parallax) == pytest.approx((200.94, 286.23, 130.23))
    assert (bare.ra, bare.pm_ra, bare.parallax) == (pytest.approx(15.0), None, None)


def test_columns_of_a_votable_are_found_by_their_meaning(tmp_path: Path):
    from astropy.io.votable import from_table, writeto

    votable = from_table(Table({"who": ["Vega"], "lon": [279.2], "lat": [38.8], "mu": [200.0]}))
    fields = {field.name: field for field in votable.get_first_table().fields}
    ucds = {"who": "meta.id;meta.main", "lon": "pos.eq.ra;meta.main", "lat": "pos.eq.dec;meta.main",
            "mu": "pos.pm;pos.eq.ra"}  # fmt: skip
    for name, ucd in ucds.items():
        fields[name].ucd = ucd
    fields["mu"].unit = "mas/yr"
    writeto(votable, str(tmp_path / "list.xml"))
    (star,) = read_list(tmp_path / "list.xml")
    assert (star.name, star.ra, star.dec, star.pm_ra) == ("Vega", 279.2, 38.8, 200.0)


@pytest.mark.parametrize(
    ("column", "epoch"), [(",epoch\nalf Cen,219.85, -60.832,-3679.25,473.67,2026", None),
                          ("\nalf Cen,219.85,-60.832,-3679.25,473.67", 2026.0)],
)  # fmt: skip
def test_positions_of_another_epoch_are_brought_to_j2000(tmp_path: Path, column: str, epoch: float | None):
    (star,) = read_list(written(tmp_path, f"name,ra,dec,pmra,pmdec{column}\n"), epoch)
    assert star.dec == pytest.approx(-60.832 - 26 * 473.67 / 3.6e6, abs=2e-5)
    assert star.ra == pytest.approx(219.85 + 26 * 3679.25 / 3.6e6 / 0.4874, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,ra,dec\nVega,279,38\nDeneb,310,95\n", "row 2: dec is 95"),
        ("name,ra,dec\nVega,-1,38\n", "row 1: ra is -1"),
        ("name,ra,dec\nVega,here,38\n", "row 1, ra is 'here': an angle"),
        ("name,ra,dec\nVega,,38\n", "row 1: ra is None"),
        ("name,ra,dec,pmra\nVega,279,38,fast\n", "row 1, pmra is 'fast': a number"),
        ("name,ra,dec,pmra\nVega,279,38,inf\n", "row 1, pmra is inf"),
        ("name,ra,dec\nVega,279,38\nVega,279,38\n", "row 2: the name 'Vega' is in row 1"),
        ("name,ra,dec\n--,279,38\n", "row 1: name is"),
        ("name,ra,dec,epoch\nVega,279,38,51544\n", "row 1: epoch is 51544"),
        ("name,longitude,dec\nVega,279,38\n", "no column for ra"),
        ("name,ra,dec\n", "no row"),
        ("", "no column for name"),
        (b"\x00\xff\xfe" * 50, "list.csv"),
        ("name,ra,dec\nVega,1,2,3,4\n", "cannot be read as csv"),
    ],
)
def test_a_bad_list_is_refused_with_the_place(tmp_path: Path, text: str | bytes, words: str):
    with pytest.raises(ListError, match=words):
        read_list(written(tmp_path, text))


@pytest.mark.parametrize("name", ["list.txt", "list", "list.csv.exe"])
def test_only_known_kinds_of_files_are_read(tmp_path: Path, name: str):
    with pytest.raises(ListError, match=r"\.csv"):
        read_list(written(tmp_path, "name,ra,dec\nVega,1,2\n", name))


def test_a_file_that_is_not_there_or_a_bomb_is_refused(tmp_path: Path):
    with pytest.raises(ListError, match="No such file"):
        read_list(tmp_path / "none.csv")
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><VOTABLE/>'
    with pytest.raises(ListError, match="entities"):
        read_list(written(tmp_path, bomb, "list.vot"))
    with pytest.raises(ListError, match="epoch"):
        read_list(written(tmp_path, "name,ra,dec\nVega,1,2\n"), 51544.5)


@given(
    st.one_of(st.binary(max_size=120), st.text(max_size=120).map(lambda t: ("name,ra,dec\n" + t).encode()))
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_bytes_are_read_or_refused(tmp_path: Path, body: bytes):
    for suffix in ("csv", "ecsv", "vot", "fits"):
        with contextlib.suppress(ListError):
            read_list(written(tmp_path, body, f"list.{suffix}"))
