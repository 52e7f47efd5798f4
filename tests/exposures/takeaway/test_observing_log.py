"""The observing log: rows, calibrators, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from obsportal.accounts.models import User
from obsportal.exposures.models import CalibratorLink, Exposure, Observation
from obsportal.exposures.search import parse
from obsportal.exposures.search_values import SearchError
from obsportal.exposures.takeaway import observing_log
from obsportal.exposures.takeaway.log_forms import SHORT, latex, write_csv, write_latex
from obsportal.exposures.takeaway.observing_log import Log, LogRow, Per, log
from portal import make_exposure


def observation(key: str) -> Observation:
    return Observation.objects.create(
        key=key, basis="block", interferometer_name="VLTI", instrument_name="GRAVITY", night=date(2020, 1, 26)
    )


def link(science: Observation, calibrator: Observation, confidence: str = "high") -> None:
    CalibratorLink.objects.create(
        science=science, calibrator=calibrator, basis="time", confidence=confidence, score=0.9, gap_minutes=10
    )


def made(query: dict[str, str] | None = None, actor: User | None = None, per: Per = Per.OBSERVATION) -> Log:
    return log(parse(query or {}), actor, per)


@pytest.mark.django_db
def test_a_row_sums_the_exposures_of_an_observation():
    one = observation("A")
    make_exposure(observation=one, exp_mjd_start=58875.1, exp_seeing=0.5, exp_tau0=0.004, exp_time=100.0)
    make_exposure(observation=one, exp_mjd_start=58875.2, exp_seeing=0.7, exp_tau0=None, exp_time=50.0)
    make_exposure(observation=one, exp_mjd_start=58875.2, time_counted=False, exp_seeing=None, exp_tau0=None,
                  instrument_mode="OTHER", exp_time=50.0)  # fmt: skip
    (row,) = made().rows
    assert (row.date, row.target, row.configuration) == ("2020-01-27 02:24", "HD 58647", "UTs")
    assert (row.exposures, row.integration) == (2, 150.0)
    assert (row.seeing, row.tau0_ms) == (pytest.approx(0.6), pytest.approx(4.0))
    assert (row.mode, row.programme) == ("HIGH-COMBINED, OTHER", "0104.C-0567(A)")


@pytest.mark.django_db
def test_observations_follow_in_time_and_those_without_one_are_told_apart_by_their_execution():
    late, early = observation("late"), observation("early")
    make_exposure(observation=late, exp_mjd_start=58876.0)
    make_exposure(observation=early, exp_mjd_start=58875.0)
    make_exposure(exp_mjd_start=58877.0, obs_id=None)
    make_exposure(exp_mjd_start=58878.0, obs_id=None)
    assert [round(row.start or 0) for row in made().rows] == [58875, 58876, 58877, 58878]


@pytest.mark.django_db
def test_a_night_of_a_target_is_one_row_when_asked():
    for key in ("A", "B"):
        make_exposure(observation=observation(key))
    make_exposure(night=date(2020, 1, 27))
    assert [row.exposures for row in made(per=Per.TARGET_NIGHT).rows] == [2, 1]


@pytest.mark.django_db
def test_calibrators_stand_beside_the_science_they_serve():
    science, first, second, unsure = map(observation, "SABC")
    make_exposure(observation=science)
    for one, name, ra in ((first, "HD 1", 10.0), (second, "HD 2", 20.0), (unsure, "HD 3", 30.0)):
        make_exposure(observation=one, obs_type="calibrator", name=name, ra=ra)
    link(science, first)
    link(science, second, "medium")
    link(science, unsure, "low")
    found = made()
    (row,) = found.rows
    assert sorted(row.calibrators) == ["HD 1", "HD 2"]
    assert found.calibrator_rows == 3
    CalibratorLink.objects.exclude(confidence="low").delete()
    assert made().rows[0].calibrators == ("HD 3",)
    asked = made({"obs_type": "calibrator"}).rows
    assert [row.target for row in asked] == ["HD 1", "HD 2", "HD 3"]
    assert all(row.calibrators == () for row in asked)


@pytest.mark.django_db
def test_a_selection_of_calibrators_alone_has_rows_of_its_own():
    make_exposure(obs_type="calibrator")
    assert [row.obs_type for row in made().rows] == ["calibrator"]


@pytest.mark.django_db
def test_protected_rows_show_to_curators_alone():
    science, calibrator = observation("S"), observation("C")
    make_exposure(observation=science, exp_seeing=0.5)
    make_exposure(observation=science, exp_seeing=1.5, visibility="protected", instrument_mode="SECRET")
    make_exposure(observation=calibrator, obs_type="calibrator", name="HD 9", ra=10.0, visibility="protected")
    make_exposure(observation=observation("P"), name="hidden", ra=50.0, visibility="protected")
    link(science, calibrator)
    (row,) = made().rows
    assert (row.exposures, row.mode, row.calibrators, row.seeing) == (1, "HIGH-COMBINED", (), 0.5)
    staff = User.objects.create(username="c", is_staff=True)
    seen = made(actor=staff).rows
    assert len(seen) == 2
    assert (seen[0].exposures, seen[0].calibrators) == (2, ("HD 9",))


@pytest.mark.django_db
def test_a_selection_too_large_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(observing_log, "MOST_EXPOSURES", 2)
    for _ in range(3):
        make_exposure()
    with pytest.raises(SearchError, match="more than 2 exposures"):
        made()


def structure(document: str) -> list[list[str]]:
    """Check braces, environments and the number of cells; answer the cells of the body's rows.

    A small part of what LaTeX itself would find.
    """
    lines = [line for line in document.splitlines() if not line.startswith("%")]
    text = "\n".join(lines)
    depth = 0
    for found in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        assert depth >= 0
    assert depth == 0
    open_: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", text):
        if kind == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert open_ == []
    plain = re.sub(r"\\.", "", text, flags=re.DOTALL)
    assert plain.count("$") % 2 == 0
    assert not set("#^~%_&") & set(re.sub(r"\$[^$]*\$|^.* &.*$", "", plain, flags=re.MULTILINE))
    assert all(ord(c) < 0x180 for c in text)
    layout = re.search(r"\\begin\{(?:tabular|longtable)\}\{([lrc]+)\}", text)
    assert layout
    rows = []
    for line in lines:
        if line.endswith(r"\\") and not line.startswith((r"\caption", r"\multicolumn")):
            cells = re.split(r"(?<!\\)&", line[:-2])
            assert len(cells) == len(layout[1]), line
            rows.append([cell.strip() for cell in cells])
    return rows


def row(target: str = "HD 1", **values: Any) -> LogRow:
    return LogRow(**{
        "start": 58875.1, "night": date(2020, 1, 26), "target": target, "configuration": "medium -> large",
        "stations": "A0 G1", "instrument": "GRAVITY", "mode": "A_B", "exposures": 2, "integration": 600.0,
        "calibrators": ("HD_2", "α & β"), "seeing": 0.714, "tau0": None, "programme": "0104.C-0567(A)",
        "obs_type": "science", **values,
    })  # fmt: skip


def table(*rows: LogRow, words: str = "all", per: Per = Per.OBSERVATION) -> Log:
    return Log(tuple(rows), per, words, (), (), len(rows), 0)


def test_the_table_has_a_head_units_and_escaped_rows():
    document = write_latex(
        table(row("51_Peg 50%")), ["A note & more."], ["made today", "100 % sure"]
    ).decode()
    head, units, body = structure(document)
    assert head[0] == "Date"
    assert units[0] == "(UTC)"
    assert body[1] == r"51\_Peg 50\%"
    assert body[8] == r"HD\_2; $\alpha$ \& $\beta$"
    assert body[10] == r"\dots"
    assert r"\item A note \& more." in document
    assert "% 100 % sure" in document
    assert r"\toprule" in document
    assert r"\begin{threeparttable}" in document


@pytest.mark.parametrize("count", [1, SHORT, SHORT + 1, 200])
@pytest.mark.parametrize("per", Per)
def test_short_and_long_tables_are_well_formed(count: int, per: Per):
    document = write_latex(table(*[row()] * count, per=per), ["n"]).decode()
    heads = 2 if count <= SHORT else 4
    assert len(structure(document)) == count + heads
    assert (r"\begin{longtable}" in document) is (count > SHORT)


anything = st.text(max_size=30)


@given(anything, anything, anything, anything)
def test_any_text_gives_a_well_formed_table(target: str, mode: str, words: str, comment: str):
    document = write_latex(
        table(row(target, mode=mode, calibrators=(words,)), words=words), [comment], [comment]
    )
    assert len(structure(document.decode())) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\\b{c}", r"a\textbackslash{}b\{c\}"),
        ("x^2~y", r"x\textasciicircum{}2\textasciitilde{}y"),
        ("Élodie Šafařík", "Élodie Šafařík"),
        ("−5° ± 2", r"$-$5$^\circ$ $\pm$ 2"),
        ("a--b", r"a-{}-b"),
        ("星", "?"),
        ("½", "1?2"),
    ],
)
def test_text_prints_as_it_is(text: str, expected: str):
    assert latex(text) == expected


def test_csv_has_the_same_rows_and_comments_only_when_asked():
    found = table(row('a,"b"'))
    plain = list(csv.DictReader(io.StringIO(write_csv(found).decode())))
    assert plain[0]["target"] == 'a,"b"'
    assert (plain[0]["seeing_arcsec"], plain[0]["tau0_ms"], plain[0]["date_utc"]) == (
        "0.71",
        "",
        "2020-01-27 02:24",
    )
    told = write_csv(found, ["one", "", "two"]).decode().splitlines()
    assert told[:3] == ["# one", "#", "# two"]


@pytest.mark.django_db
def test_the_page_and_its_files(client: Client):
    science, calibrator = observation("S"), observation("C")
    make_exposure(observation=science, name="HD_1", ra=20.0, exp_mjd_start=58875.1)
    make_exposure(observation=calibrator, obs_type="calibrator", name="HD 9", ra=21.0)
    link(science, calibrator)
    html = client.get("/log?instrument=GRAVITY").content.decode()
    for words in (
        "HD_1",
        "HD 9",
        "2020-01-2",
        "0104.C-0567(A)",
        "/log.tex?instrument=GRAVITY",
        "European Southern",
    ):
        assert words in html
    tex = client.get("/log.tex?instrument=GRAVITY")
    assert tex["Content-Disposition"] == 'attachment; filename="observing-log.tex"'
    text = tex.content.decode()
    assert r"HD\_1" in text
    assert "HD 9" in text
    assert r"under ESO programme 0104.C-0567(A)" in text
    assert "curl --fail" in text
    assert r"\caption{Observing log: GRAVITY.}" in text
    structure(text)
    rows = list(csv.DictReader(io.StringIO(client.get("/log.csv").content.decode())))
    assert [(r["target"], r["calibrators"]) for r in rows] == [("HD_1", "HD 9")]
    assert client.get("/log.csv?comments=true").content.startswith(b"# Observing log")
    assert 'rel="cite-as"' in client.get("/log.csv")["Link"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/log?per=week", "per is"),
        ("/log.csv?per=week", "observation, target-night"),
        ("/log.tex?ra=999&dec=0", "ra is"),
        ("/log?ra=999&dec=0", "ra is"),
        ("/log.csv?comments=perhaps", "allowed are true and false"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(client: Client, path: str, said: str):
    response = client.get(path)
    assert (response.status_code, said in response.content.decode()) == (400, True)


@pytest.mark.django_db
def test_nothing_found_is_a_page_and_a_well_formed_table(client: Client):
    assert "Nothing meets the search" in client.get("/log?instrument=GRAVITY").content.decode()
    assert len(structure(client.get("/log.tex").content.decode())) == 2
    assert Exposure.objects.count() == 0
