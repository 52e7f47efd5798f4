"""What the public is answered is the same with protected rows in the records and without any."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures import kept, search
from obsportal.exposures.digest import compress
from obsportal.exposures.groups import grouped
from obsportal.exposures.models import Exposure, HeaderVersion, Observation, RefusedHeader, Target
from obsportal.exposures.observations import derive
from obsportal.exposures.versions import bump
from obsportal.interferometry.sky import hpx29
from obsportal.interferometry.times import datetime_to_mjd
from obsportal.stars.changes import tell
from obsportal.stars.models import Star, StarName
from obsportal.stars.names import normalise
from obsportal.stars.sky import KnownStar
from portal import make_exposure, make_pointing

pytestmark = pytest.mark.django_db

EVENING = datetime(2020, 1, 27, 1, tzinfo=UTC)
A = {"name": "HD 58647", "ra": 111.483684, "dec": -14.17878}
B = {"name": "HD 60325", "ra": 113.1, "dec": -14.3}
C = {"name": "CO Ori", "ra": 81.909, "dec": 11.4275}
D = {"name": "HD 36134", "ra": 82.3, "dec": 11.0}
DOUBLE = {"name": "V Dbl", "ra": 10.0, "dec": -30.0}


def add(minutes: float, obs_id: int | None, **values: Any) -> Exposure:
    """An exposure so many minutes into the night of 2020-01-26, in a block of two exposures."""
    start = EVENING + timedelta(minutes=minutes)
    file = f"GRAVI.{start:%Y-%m-%dT%H:%M:%S}.{start.microsecond // 1000:03d}"
    night = (start - timedelta(hours=16)).date()
    known = {
        "exp_id": f"{file}_1",
        "exp_header_id": file,
        "header": header(file),
        "exp_mjd_start": datetime_to_mjd(start),
        "exp_mjd_end": datetime_to_mjd(start + timedelta(minutes=4)),
        "night": night,
        "obs_id": obs_id,
        "obs_start": (EVENING + timedelta(minutes=minutes // 20 * 20)).replace(microsecond=0),
        "template_start": (EVENING + timedelta(minutes=minutes // 10 * 10)).replace(microsecond=0),
        "obs_name": f"OB_{obs_id}",
        "exp_date_updated": datetime(2020, 1, 30, 12, tzinfo=UTC),
        "obs_program_title": "Discs",
        "obs_program_pi_coi": "Doe/ Roe",
    }
    return make_exposure(**(known | values))


def header(name: str) -> HeaderVersion:
    """The kept text of a header."""
    raw = f"TELESCOP= 'ESO-VLTI' / {name}".encode()
    return HeaderVersion.objects.create(
        header_id=name,
        sha256=hashlib.sha256(raw).hexdigest(),
        text_zstd=compress(raw),
        size=len(raw),
        source="a.hdr",
        received_at=EVENING,
    )


def public_rows() -> None:
    """Science and calibrators of one night, of two programmes, in a container and without."""
    shared = {"obs_container_id": 900, "obs_container_type": "C"}
    for k in (1, 6):
        add(k, 100, **A, **shared)
        add(20 + k, 101, **B, **shared, obs_type="calibrator")
    for k in (41, 46):
        add(k, 102, **C, obs_program="0103.C-0347(B)", instrument_mode="MEDIUM-COMBINED")
    add(61, None, **DOUBLE, obs_start=None, template_start=None)
    add(24 * 60 + 5, 104, **A, exp_date_updated=datetime(2020, 2, 9, 12, tzinfo=UTC))
    add(24 * 60 + 25, 105, **B, obs_type="calibrator", exp_validation_level=0, exp_tau0=None)
    tracked = make_pointing(**C)
    add(81, 106, **D, ft_pointing=tracked, ft_target=tracked.target)
    RefusedHeader.objects.create(
        header_id="GRAVI.1", code="no-target", reason="no target", source="a.hdr",
        instrument_name="GRAVITY", first_seen=EVENING, last_seen=EVENING, header_version=header("GRAVI.1"),
    )  # fmt: skip


HIDDEN: dict[str, Any] = {
    "visibility": Visibility.PROTECTED,
    "exp_date_updated": datetime(2020, 2, 10, 1, tzinfo=UTC),
    "obs_program_pi_coi": "Mata Hari/ Doe",
    "exp_seeing": 2.0,
    "exp_tau0": 0.001,
    "configuration": "large",
}


def protected_beginnings() -> None:
    """Protected pointings that later ones join to public targets."""
    add(17, 108, **{**A, "dec": A["dec"] + 0.024}, **HIDDEN)
    add(79, 4711, name="hidden listed", ra=50.0, dec=5.0, **HIDDEN)


def protected_rows() -> None:
    """Rows of the same stars, nights, programmes, blocks and containers, and of others; all protected."""
    shared = {"obs_container_id": 900, "obs_container_type": "C"}
    add(3, 100, **A, **HIDDEN, **shared)
    add(11, 100, **A, **HIDDEN, **shared, instrument_mode="LOW-COMBINED", station_set="U1 U2 U3")
    add(13, 4711, **D, **HIDDEN, **shared, obs_type="calibrator")
    add(43, 102, **C, **HIDDEN, obs_type="calibrator")
    add(50, 107, **D, **HIDDEN, obs_type="calibrator", instrument_mode="MEDIUM-COMBINED")
    add(15, 108, **{**A, "ra": A["ra"] + 0.0002, "name": "hidden name"}, **HIDDEN)
    add(16, 108, **{**A, "dec": A["dec"] + 0.012}, **HIDDEN)
    add(62, 109, **{**DOUBLE, "dec": -30.0 + 3 / 3600, "name": "V Dbl B hidden"}, **HIDDEN)
    add(63, 109, **{**DOUBLE, "name": "target"}, **HIDDEN)
    add(65, 109, **{**DOUBLE, "ra": None, "dec": None}, **HIDDEN)
    add(72, 4711, name="hidden star", ra=200.0, dec=20.0, **HIDDEN, obs_program="200.C-7777(A)")
    add(74, 4711, name="hidden star", ra=200.0, dec=20.0, **HIDDEN, obs_program="0103.C-0347(D)")
    tracked = make_pointing(**C, visibility=Visibility.PROTECTED)
    add(
        76,
        4711,
        ft_pointing=tracked,
        ft_target=tracked.target,
        name="hidden pair",
        ra=81.9092,
        dec=11.4275,
        **HIDDEN,
    )
    add(-80 * 24 * 60, 4711, **A, **HIDDEN, instrument_name="PIONIER", instrument_variant="PIONIER")
    add(-81 * 24 * 60, 4711, name="hidden listed", ra=50.0, dec=5.0, **HIDDEN)
    add(3 * 24 * 60, 4711, **B, **HIDDEN, obs_type="calibrator", obs_program="200.C-7777(A)")
    RefusedHeader.objects.create(
        header_id="hidden", code="hidden", reason="hidden", source="hidden", instrument_name="PIONIER",
        visibility=Visibility.PROTECTED, first_seen=EVENING, last_seen=EVENING,
    )  # fmt: skip


def known_stars() -> None:
    """Stars of a loaded list, public knowledge: of a public target, of a protected one, and of none."""
    made = []
    for name, ra, dec, *others in (
        ("HD 58647", A["ra"], A["dec"], "V1 Pup"),
        ("Listed", 50.0, 5.0, "hidden listed", "Listed B"),
        ("Lonely", 70.0, 7.0, "Lonely A"),
    ):
        star = Star.objects.create(
            source="list", name=name, ra=ra, dec=dec, hpx=hpx29(ra, dec), updated_at=EVENING
        )
        names = {normalise(one): one for one in (name, *others)}
        for plain, one in names.items():
            StarName.objects.create(star=star, name=one, normalised_name=plain)
        made.append(KnownStar(star.pk, frozenset(names), ra, dec))
    tell(made)


FORMS = ("votable", "csv", "tsv", "json")
GROUPS = ("exposure", "template", "observation", "target-night")

SELECTIONS = (
    "",
    "target_name=HD+58647",
    "target_name=hidden*",
    "target_name=hidden+star",
    "target_name=Listed",
    "target_name=nothing&instrument=GRAVITY",
    "target_name=V+Dbl",
    "ra=111.483684&dec=-14.17878&radius=30",
    "ra=111.483684&dec=-14.16&radius=30",
    "ra=10&dec=-30&radius=2.5",
    "ra=200&dec=20&radius=60",
    "program_id=0103.C-0347",
    "program_id=200.C-7777",
    "obs_id=4711",
    "obs_id=100",
    "night=2020-01-26",
    "night=2019-11-08",
    "obs_type=calibrator",
    "instrument=PIONIER",
    "configuration=large",
    "date_updated_from=2020-02-10",
    "valid=false",
)

QUICK = (
    "HD 58647", "V1 Pup", "hidden star", "hidden name", "Listed", "hidden listed", "Lonely", "0103.C-0347",
    "0103.C-0347(D)", "200.C-7777", "2019-11-08", "2020-01-26", "GRAVI.2020-01-27T01:03:00.000_1",
    "VLTI.4711.2020-01-27T02:00:00", "VLTI.100.2020-01-27T01:00:00", "200 20", "nothing",
)  # fmt: skip

LIST = "\n".join(
    (
        "HD 58647", "hidden star", "hidden name", "Listed", "hidden listed", "Lonely", "V Dbl", "V1 Pup",
        "HD 58647, 200.0, 20.0", "HD 58647, 50.0, 5.0", "200.0 20.0", "10.0 -30.000834", "111.4839 -14.1788",
        "V Dbl, 111.483684, -14.16",
    )
)  # fmt: skip


def addresses() -> Iterator[tuple[str, str]]:
    """Route and address of everything that is asked."""
    for query in SELECTIONS:
        joined = query + "&" if query else ""
        for group in GROUPS:
            yield "search", f"/search?{joined}group={group}"
            yield "search-count", f"/search.count?{joined}group={group}"
            for form in FORMS:
                yield "search-data", f"/search.{form}?{joined}group={group}"
        yield "search-data", f"/search.json?{joined}all_fields=false&sort=-exp_seeing&limit=3"
        yield "search", f"/search?{joined}sort=target_name&limit=2&page=2"
        yield "search-atom", f"/search.atom?{query}"
        yield "take-away", f"/takeaway?{query}"
        yield "cite", f"/cite?{query}"
        yield "cite", f"/cite?{joined}format=json"
        yield "uv", f"/uv?{query}"
        for form in ("svg", "json"):
            yield "uv-file", f"/uv.{form}?{query}"
        for per in ("observation", "target-night"):
            yield "log", f"/log?{joined}per={per}"
            for form in ("tex", "csv"):
                yield "log-file", f"/log.{form}?{joined}per={per}&comments=true"
        for calibrators in ("true", "false"):
            yield "downloads", f"/downloads?{joined}calibrators={calibrators}"
            for form in ("sh", "py", "csv", "txt"):
                yield "downloads-file", f"/downloads.{form}?{joined}calibrators={calibrators}"
    for typed in QUICK:
        yield "home", f"/?q={typed}"
        yield "search", f"/search?q={typed}"
        yield "position", f"/position?q={typed}"
    yield "home", "/"
    for form in ("", "&format=json"):
        yield "position", f"/position?ra=111.483684&dec=-14.17878&radius=60{form}"
        yield "position", f"/position?ra=200&dec=20&radius=60{form}"
    yield "statistics", "/statistics"
    yield "refused", "/refused"
    yield "help-api", "/help/api"
    yield "sources", "/sources"
    yield "health", "/health"
    yield "health-json", "/health.json"
    yield "health-live", "/health/live"
    yield "health-ready", "/health/ready"
    yield "curator", "/curator"
    for form in FORMS:
        yield "statistics-data", f"/statistics.{form}"
        yield "refused-data", f"/refused.{form}"
    for form in ("", "?format=json"):
        for name in ("0103.C-0347", "0103.C-0347(B)", "0103.C-0347(D)", "200.C-7777", "0104.C-0567(A)"):
            yield "programme", f"/programme/{name}{form}"
        for night in (
            "2020-01-26",
            "2020-01-26/27",
            "2020-01-27",
            "2020-01-29",
            "2019-11-08",
            "2020-01-26/VLTI",
        ):
            yield "night", f"/night/{night}{form}"
        for observation in public_observations():
            yield "observation", f"/observation/{observation}{form}"
        for key in public_targets():
            yield "target", f"/target/{key}{form}"
        for exp_id in (
            Exposure.objects.filter(visibility="public").order_by("exp_id").values_list("exp_id", flat=True)
        ):
            yield "exposure", f"/detail/exposure/{exp_id}{form}"
            yield "header-text", f"/detail/exposure/{exp_id}/header.txt"
    for key in public_refusals():
        yield "refused-header", f"/refused/{key}/header.txt"


def public_observations() -> list[str]:
    return sorted(Observation.objects.visible_to(None).values_list("key", flat=True))


def public_targets() -> list[int]:
    rows = Target.objects.visible_to(None).order_by("normalised_name", "ra", "dec")
    return list(rows.values_list("pk", flat=True))


NOT_COMPARED = {"ETag", "Set-Cookie", "Content-Length", "Expires"}
"""Headers: hashes of the change counter, tokens, and times of asking."""


def public_refusals() -> list[int]:
    return list(RefusedHeader.objects.filter(visibility="public").values_list("pk", flat=True))


Answers = dict[str, tuple[int, str]]


def forget() -> None:
    kept.forget_all()
    search._CUBES.clear()
    grouped._ORDERS.clear()


def answers() -> Answers:
    """What the public is answered, by address; keys that the database gives stand as their rank."""
    client = Client(raise_request_exception=True)
    ranks = {str(key): f"<key {rank}>" for rank, key in enumerate([*public_targets(), *public_refusals()])}
    found: Answers = {}
    forget()
    for route, address in addresses():
        response = client.get(address)
        found[_ranked(address, ranks)] = (response.status_code, _plain(route, response, ranks))
    for form in ("", ".votable", ".csv", ".json"):
        response = client.post(f"/list{form}", {"list": LIST, "radius": "20"})
        found[f"POST /list{form}"] = (response.status_code, _plain("list", response, ranks))
    return found


def _plain(route: str, response: Any, ranks: dict[str, str]) -> str:
    """Headers and body without what is allowed to differ: tokens, the time of asking, change counters."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    headers = {k: v for k, v in response.headers.items() if k not in NOT_COMPARED}
    text = f"{sorted(headers.items())}\n{body.decode('utf-8')}"
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)
    if route in {"health", "health-json"}:
        text = "".join(re.findall(r"[Ee]xposures.{20}", text))  # the rest tells of the process
    text = re.sub(r" on \d{4}-\d\d-\d\d \d\d:\d\d UTC", "", text)
    return _ranked(text, ranks)


def _ranked(text: str, ranks: dict[str, str]) -> str:
    return re.sub(r"\b7\d{6}\b", lambda found: ranks.get(found[0], found[0]), text)


def far_keys() -> None:
    """Let the keys that pages show begin at seven millions: so they are told from other numbers."""
    for model, first in ((Target, 7_000_000), (RefusedHeader, 7_500_000)):
        table = model._meta.db_table
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {first})")
            else:
                cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
                cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, first])


def worked_out(*steps: Callable[[], None]) -> Answers:
    """What is answered after these steps; the records are as before afterwards."""
    with transaction.atomic(), pytest.MonkeyPatch.context() as clock:
        far_keys()
        for step in steps:
            clock.setattr(timezone, "now", lambda step=step: DATES[step])
            step()
            derive.regroup_all()
        clock.setattr(timezone, "now", lambda: ASKED)
        bump("exposures", ASKED + timedelta(days=len(steps)))
        found = answers()
        transaction.set_rollback(True)
    forget()
    return found


DATES = {
    known_stars: datetime(2020, 2, 11, tzinfo=UTC),
    public_rows: datetime(2020, 2, 12, tzinfo=UTC),
    protected_beginnings: datetime(2020, 2, 13, tzinfo=UTC),
    protected_rows: datetime(2020, 2, 14, tzinfo=UTC),
}
"""When each was taken in."""
ASKED = datetime(2020, 3, 1, tzinfo=UTC)


def difference(one: str, other: str) -> str:
    """Where two texts part."""
    at = next(
        (k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return f"{one[max(0, at - 200) : at + 200]!r}\n  and now\n{other[max(0, at - 200) : at + 200]!r}"


ORDERS = {
    "protected rows come last": (known_stars, public_rows, protected_beginnings, protected_rows),
    "protected rows come first": (known_stars, protected_rows, protected_beginnings, public_rows),
    "public rows come between": (known_stars, protected_beginnings, public_rows, protected_rows),
    "the stars come last": (public_rows, protected_beginnings, protected_rows, known_stars),
}


_ALONE: dict[tuple[str, ...], Answers] = {}
"""Answers without protected rows, by the steps that led to them: several orders share them."""


@pytest.mark.parametrize("order", ORDERS)
def test_the_public_is_answered_as_if_there_were_no_protected_rows(order: str):
    steps = ORDERS[order]
    plain = [step for step in steps if step in {known_stars, public_rows}]
    names = tuple(step.__name__ for step in plain)
    if names not in _ALONE:
        _ALONE[names] = worked_out(*plain)
    alone, beside = _ALONE[names], worked_out(*steps)
    assert list(beside) == list(alone)
    parted = [address for address, answer in alone.items() if beside[address] != answer]
    shown = "\n".join(
        f"{address}: {alone[address][0]} {beside[address][0]}\n"
        f"{difference(alone[address][1], beside[address][1])}"
        for address in parted[:12]
    )
    assert not parted, f"{len(parted)} of {len(alone)} answers differ:\n{shown}"


def routes(patterns: list[URLPattern | URLResolver], inside: str = "") -> Iterator[str]:
    for pattern in patterns:
        path = inside + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif not path.startswith("admin/"):
            yield pattern.name or path


def test_every_route_is_asked_and_found():
    public_rows()
    derive.regroup_all()
    asked = {route for route, _ in addresses()} | {"list", "list-data"}
    assert asked == set(routes(get_resolver().url_patterns))
    client = Client()
    wrong = {address: client.get(address).status_code for _, address in addresses()}
    refused = {address: status for address, status in wrong.items() if status not in {200, 302}}
    allowed = ("/position?q=", "/programme/200.C-7777")
    assert {address for address in refused if not address.startswith(allowed)} == set()


def test_a_curator_sees_of_the_protected_rows_what_the_public_does_not():
    """So the rows that are compared are there, and what is kept for a curator is not told to others."""
    public_rows()
    protected_beginnings()
    protected_rows()
    derive.regroup_all()
    bump("exposures")
    forget()
    curator, public = Client(), Client()
    curator.force_login(User.objects.create_user("curator", password="x", is_staff=True))
    for address, secret in (
        ("/", "hidden star"),
        ("/statistics", "PIONIER"),
        ("/statistics.json", "PIONIER"),
        ("/refused", "PIONIER"),
        ("/search?limit=500", "hidden star"),
        ("/search?group=observation", "hidden star"),
        ("/search.json?group=target-night", "hidden star"),
        ("/programme/0103.C-0347", "0103.C-0347(D)"),
        ("/programme/0104.C-0567(A)", "Hari"),
        ("/night/2020-01-26", "hidden star"),
        ("/observation/VLTI.100.2020-01-27T01:00:00", "large"),
        ("/list.json?list=hidden+star", '"found":true'),
        ("/search.atom", "hidden star"),
        ("/log.csv", "hidden star"),
        ("/downloads.txt", "2019-11-08"),
        ("/cite", "200.C-7777"),
        ("/search.count", '"exposures": 28'),
    ):
        for _ in range(2):
            assert secret in _text(curator.get(address)), address
            assert secret not in _text(public.get(address)), address


def _text(response: Any) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return str(body.decode())
