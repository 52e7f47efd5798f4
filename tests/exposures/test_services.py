"""Ingest: idempotent, restartable, nothing lost, nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from django.db import transaction

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.demo.generate import generate
from obsportal.exposures import corrections, services, versions
from obsportal.exposures.corrections import OverrideError, override
from obsportal.exposures.digest import Digest, digest
from obsportal.exposures.models import (
    ContinuationFile,
    Exposure,
    HeaderVersion,
    Override,
    Provenance,
    RefusedHeader,
    TableVersion,
    Target,
    TargetPointing,
)
from obsportal.exposures.record import ExposureRecord, Level, Message, ObsType, Refusal, Sighting
from obsportal.exposures.services import IngestOptions, ingest
from obsportal.exposures.versions import last_modified
from obsportal.formats.header_sources import HeaderSource

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def headers() -> dict[str, str]:
    made = generate(120, 11, start=date(2012, 1, 1), end=date(2024, 1, 1))
    return {header.name: header.text for header in made}


def digests(headers: dict[str, str], *names: str) -> list[Digest]:
    return [digest(HeaderSource(f"{name}.hdr", headers[name])) for name in names or headers]


def snapshot() -> dict[str, list[tuple[object, ...]]]:
    models = (Exposure, HeaderVersion, RefusedHeader, Target, Provenance)
    return {
        m.__name__: sorted(map(repr, m.objects.values_list(*[f.attname for f in m._meta.concrete_fields if f.attname != "last_seen"])))  # type: ignore[misc]
        for m in models
    }  # fmt: skip


def record(exp_id: str = "TEST.1_1", **values: object) -> ExposureRecord:
    base = ExposureRecord(
        header_id=exp_id.rpartition("_")[0],
        exp_id=exp_id,
        instrument_name="GRAVITY",
        interferometer_name="VLTI",
        mjd_start=58875.1,
        mjd_end=58875.11,
        target=Sighting("HD 1", 10.0, -20.0),
        pointing_ra=10.0,
        pointing_dec=-20.0,
    )
    return replace(base, **values)  # type: ignore[arg-type]


def digest_of(*records: ExposureRecord, text: str = "one") -> Digest:
    from hashlib import sha256

    from obsportal.exposures.digest import compress

    raw = text.encode()
    made = Digest(records[0].header_id, "test", sha256(raw).hexdigest(), len(raw), compress(raw))
    made.take([replace(r) for r in records])
    return made


def test_every_kind_of_demonstration_header_is_written_or_refused(headers: dict[str, str]):
    report = ingest(digests(headers))
    assert report.read == len(headers)
    assert report.added + report.refused + report.unchanged + report.updated == report.read
    assert RefusedHeader.objects.count() == report.refused > 1
    assert Exposure.objects.count() > 20


def test_the_same_input_twice_gives_the_same_rows_once(headers: dict[str, str]):
    ingest(digests(headers))
    before, counter = snapshot(), last_modified()[0]
    again = ingest(digests(headers))
    assert (again.added, again.updated) == (0, 0)
    assert snapshot() == before
    assert last_modified()[0] == counter


def test_the_order_of_arrival_does_not_matter_for_what_is_there(headers: dict[str, str]):
    ingest(digests(headers))
    first = {e.exp_id: (e.exp_mjd_start, e.time_counted) for e in Exposure.objects.all()}
    Exposure.objects.all().delete()
    ingest(reversed(digests(headers)))
    assert {e.exp_id: (e.exp_mjd_start, e.time_counted) for e in Exposure.objects.all()} == first


@pytest.mark.django_db(transaction=True)
def test_a_kill_in_the_middle_leaves_whole_batches_and_a_rerun_completes(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(services, "BATCH", 10)
    complete = digests(headers)

    def dies() -> Iterator[Digest]:
        yield from complete[:25]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(dies())
    written = HeaderVersion.objects.count()
    assert 0 < written <= 20
    ingest(complete)
    after_rerun = snapshot()
    for model in (Exposure, RefusedHeader, HeaderVersion, TargetPointing, Target, Provenance):
        model.objects.all().delete()
    ingest(complete)
    assert len(after_rerun["Exposure"]) == Exposure.objects.count()
    assert len(after_rerun["HeaderVersion"]) == HeaderVersion.objects.count()


@pytest.mark.django_db(transaction=True)
def test_a_failure_within_a_batch_writes_nothing_of_it(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(services.pairs, "count_once", fails)
    with pytest.raises(OSError, match="disk full"):
        ingest(digests(headers))
    assert not any(snapshot().values())
    assert not TableVersion.objects.exists()


def test_a_changed_header_updates_its_exposure_and_keeps_both_texts():
    ingest([digest_of(record(), text="one")])
    ingest([digest_of(record(program_id="0104.C-0567(A)"), text="two")])
    exposure = Exposure.objects.get()
    assert exposure.obs_program == "0104.C-0567(A)"
    texts = [services.header_text(h) for h in HeaderVersion.objects.order_by("pk")]
    assert texts == ["one", "two"]


def test_an_old_version_arriving_again_does_not_undo_the_newer_one():
    ingest([digest_of(record(), text="one")])
    ingest([digest_of(record(program_id="X"), text="two")])
    report = ingest([digest_of(record(), text="one")])
    assert report.unchanged == 1
    assert Exposure.objects.get().obs_program == "X"


def test_a_raw_header_replaces_a_product_and_never_the_other_way():
    ingest([digest_of(record(product_category="CALIBRATED"), text="product")])
    ingest([digest_of(record(), text="raw")])
    assert Exposure.objects.get().product_category == ""
    ingest([digest_of(record(product_category="CALIBRATED"), text="product 2")])
    assert Exposure.objects.get().product_category == ""


def test_a_refusal_is_kept_once_and_goes_when_the_header_is_accepted(headers: dict[str, str]):
    text = next(iter(headers.values()))
    refused = Digest("H", "h.hdr", "ab", 3, b"", refusal=Refusal("H", "reduced-product", "PRO CATG is 'X'"))
    for _ in range(2):
        report = ingest([replace_text(refused, text)])
        assert report.refusals == {"reduced-product": 1}
    assert RefusedHeader.objects.count() == 1
    accepted = digest_of(record("H_1"), text=text)
    ingest([accepted])
    assert RefusedHeader.objects.count() == 0


def replace_text(made: Digest, text: str) -> Digest:
    whole = digest_of(record("H_1"), text=text)
    return replace(made, sha256=whole.sha256, size=whole.size, text_zstd=whole.text_zstd)


def test_continuation_files_join_their_exposure_in_either_order():
    first = digest_of(record("M_1", group_key="set", mjd_end=58875.11), text="first")
    second = digest_of(record("N_1", group_key="set", group_index=2, mjd_end=58875.12), text="second")
    for order in ([first, second], [second, first]):
        Exposure.objects.all().delete()
        ContinuationFile.objects.all().delete()
        HeaderVersion.objects.all().delete()
        for one in order:
            ingest([one])
        exposure = Exposure.objects.get()
        assert (exposure.exp_id, exposure.exp_mjd_end) == ("M_1", 58875.12)
        again = ingest(order)
        assert (again.added, again.updated) == (0, 0)


def test_of_a_pair_that_the_public_sees_in_part_what_it_sees_counts_its_time():
    lm = digest_of(record("LM_1", pair_key="p", instrument_variant="MATISSE_LM"), text="lm")
    n = digest_of(record("N_1", pair_key="p", instrument_variant="MATISSE_N", time_counted=False), text="n")
    ingest([n])
    ingest([lm], IngestOptions(visibility=Visibility.PROTECTED))
    counted = Exposure.objects.filter(time_counted=True).values_list("exp_id", flat=True)
    assert list(counted) == ["N_1"]
    curator = User.objects.create_user("curator", is_staff=True)
    shown = override(Exposure.objects.get(exp_id="LM_1"), "visibility", "public", reason="x", author=curator)
    assert list(counted.all()) == ["LM_1"]
    corrections.withdraw(shown, reason="y", author=curator)
    assert list(counted.all()) == ["N_1"]


def test_the_time_of_a_pair_is_counted_once_and_by_the_only_one_that_is_there():
    lm = digest_of(record("LM_1", pair_key="p", instrument_variant="MATISSE_LM"), text="lm")
    n = digest_of(record("N_1", pair_key="p", instrument_variant="MATISSE_N", time_counted=False), text="n")
    ingest([n])
    assert Exposure.objects.get().time_counted is True
    ingest([lm])
    counted = dict(Exposure.objects.values_list("exp_id", "time_counted"))
    assert counted == {"LM_1": True, "N_1": False}


def test_what_follows_from_an_override_follows_and_survives_a_new_ingest():
    author = User.objects.create_user("mode-curator", is_staff=True)
    sent = digest_of(record(instrument_mode="", program_id="0104.C-0567(A)"), text="one")
    ingest([sent])
    override(Exposure.objects.get(), "obs_program", "60.A-9999(A)", reason="technical run", author=author)
    override(Exposure.objects.get(), "instrument_mode", "HIGH-COMBINED", reason="seen in data", author=author)
    ingest([digest_of(record(instrument_mode="", program_id="0104.C-0567(A)", ob_name="B"), text="two")])
    kept = Exposure.objects.get()
    assert (kept.obs_name, kept.obs_program_root, kept.technical) == ("B", "60.A-9999", True)
    assert kept.instrument_mode == "HIGH-COMBINED"
    assert kept.instrument_em_min is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [("instrument_mode", None), ("instrument_mode", {"a": 1}), ("instrument_mode", "WARP"),
     ("obs_program", 5), ("obs_program", "6" * 41), ("obs_program", None)],
)  # fmt: skip
def test_an_override_with_a_value_of_the_wrong_kind_is_refused(name: str, value: object):
    with pytest.raises(OverrideError, match=name):
        corrections.check_override(name, value, "because")


def test_targets_gather_by_name_and_by_place():
    cases = [
        ("HD_58647", 111.4837, -14.1788, 0),
        ("hd 58647", 111.4837 + 50 / 3600, -14.1788, 0),  # same name within 1 arcmin
        ("HD58647", 111.4837 + 0.05, -14.1788, 1),  # same name beyond: another star of that name
        ("STD", 111.4837, -14.1788 + 1.5 / 3600, 0),  # another name within 2 arcsec
        ("neighbour", 111.4837, -14.1788 + 5 / 3600, 2),
    ]
    ingest(
        [
            digest_of(record(f"T{i}_1", target=Sighting(name, ra, dec)), text=str(i))
            for i, (name, ra, dec, _) in enumerate(cases)
        ]
    )
    targets = list(Exposure.objects.order_by("exp_id").values_list("target_id", flat=True))
    order = {pk: i for i, pk in enumerate(dict.fromkeys(targets))}
    assert [order[pk] for pk in targets] == [expected for *_, expected in cases]
    assert Target.objects.get(pk=targets[0]).ra == 111.4837


def test_a_close_companion_is_not_filed_under_its_star():
    star, companion = Sighting("beta Pic", 86.82, -51.07), Sighting("beta Pic b", 86.82003, -51.06997)
    alias = Sighting("HD 39060", 86.82003, -51.06998)
    cases = [(star, None), (companion, star), (companion, alias), (companion, None), (star, None)]
    ingest(
        [
            digest_of(record(f"T{i}_1", target=science, ft_target=tracked), text=str(i))
            for i, (science, tracked) in enumerate(cases)
        ]
    )
    found = Exposure.objects.order_by("exp_id").values_list("target__name", "ft_target__name")
    assert list(found) == [
        ("beta Pic", None),
        ("beta Pic b", "beta Pic"),
        ("beta Pic b", "beta Pic"),
        ("beta Pic b", None),
        ("beta Pic", None),
    ]


def test_two_names_of_one_star_in_both_fields_are_one_target():
    here = {"ra": 86.82, "dec": -51.07}
    both = record("T_1", target=Sighting("HD 39060", **here), ft_target=Sighting("beta Pic", **here))
    ingest([digest_of(both, text="both")])
    assert Exposure.objects.get().target_id == Exposure.objects.get().ft_target_id


def test_positions_that_are_missing_share_a_target_of_their_name():
    ingest([digest_of(record(f"T{i}_1", target=Sighting("LAMP", None, None)), text=str(i)) for i in range(2)])
    assert Target.objects.count() == 1


def test_protected_headers_stay_protected():
    ingest([digest_of(record())], IngestOptions(visibility=Visibility.PROTECTED))
    assert Exposure.objects.visible_to(None).count() == 0
    ingest([digest_of(record(program_id="X"), text="two")])
    assert Exposure.objects.visible_to(None).count() == 0


def test_public_rows_take_neither_name_nor_place_of_a_protected_target():
    secret = Sighting("secret name", 10.0, -20.0)
    ingest([digest_of(record("P_1", target=secret))], IngestOptions(visibility=Visibility.PROTECTED))
    ingest([digest_of(record("Q_1", target=Sighting("HD 1", 10.0001, -20.0)), text="q")])
    public = Exposure.objects.get(exp_id="Q_1").target
    assert (public.name, public.ra) == ("HD 1", 10.0001)
    again = ingest([digest_of(record("P_1", target=secret))])
    assert again.unchanged == 1
    ingest(
        [digest_of(record("R_1", target=Sighting("HD 1", 10.0001, -20.0)), text="r")],
        IngestOptions(visibility=Visibility.PROTECTED),
    )
    assert Target.objects.count() == 1
    public.refresh_from_db()
    assert (public.name, public.ra, public.visibility) == ("HD 1", 10.0001, "public")


@pytest.fixture
def curator(db: None) -> User:
    return User.objects.create(username="curator", is_staff=True)


def test_an_override_survives_a_new_header_and_keeps_what_the_header_said(curator: User):
    ingest([digest_of(record(obs_type_header="SCIENCE"))])
    override(Exposure.objects.get(), "obs_type", "calibrator", reason="in JSDC", author=curator)
    ingest([digest_of(record(obs_type_header="SCIENCE", program_id="X"), text="two")])
    exposure = Exposure.objects.get()
    assert (exposure.obs_type, exposure.obs_type_header, exposure.obs_program) == (
        "calibrator",
        "SCIENCE",
        "X",
    )


def test_a_mode_given_by_a_curator_settles_the_finding_that_it_was_unknown(curator: User):
    unknown = Message("unknown-mode", Level.ERROR, "mode '(none)' is no mode of GRAVITY")
    other = Message("no-seeing", Level.WARNING, "no seeing")
    ingest([digest_of(record(messages=[unknown, other]))])
    assert Exposure.objects.get().exp_validation_level == 0
    override(Exposure.objects.get(), "instrument_mode", "HIGH-SPLIT", reason="night log", author=curator)
    ingest([digest_of(record(messages=[unknown, other], program_id="X"), text="two")])
    exposure = Exposure.objects.get()
    assert (exposure.exp_validation_level, exposure.exp_validation_log) == (1, "")
    assert (exposure.instrument_mode, exposure.obs_program) == ("HIGH-SPLIT", "X")
    assert "no-seeing" in exposure.exp_messages


def test_overrides_append_and_point_to_the_one_they_replace(curator: User):
    ingest([digest_of(record())])
    first = override(Exposure.objects.get(), "obs_type", "calibrator", reason="a", author=curator)
    second = override(Exposure.objects.get(), "obs_type", "science", reason="b", author=curator)
    assert second.parent == first
    assert Override.objects.count() == 2
    assert Exposure.objects.get().obs_type == ObsType.SCIENCE


@pytest.mark.parametrize(
    ("name", "value", "reason", "word"),
    [
        ("exp_id", "x", "r", "cannot be overridden"),
        ("obs_type", "star", "r", "science and calibrator"),
        ("visibility", "none", "r", "public"),
        ("technical", "yes", "r", "true and false"),
        ("obs_type", "science", " ", "reason"),
    ],
)
def test_an_impossible_override_says_what_is_allowed(
    curator: User, name: str, value: object, reason: str, word: str
):
    ingest([digest_of(record())])
    with pytest.raises(OverrideError, match=word):
        override(Exposure.objects.get(), name, value, reason=reason, author=curator)
    assert Override.objects.count() == 0


def test_only_curators_override():
    ingest([digest_of(record())])
    someone = User.objects.create(username="someone")
    with pytest.raises(PermissionError):
        override(Exposure.objects.get(), "obs_type", "science", reason="r", author=someone)


def test_values_no_database_can_hold_are_stored_as_missing():
    ingest([digest_of(record(tau0=float("nan"), seeing=float("inf"), ob_name="a\x00b", ob_id=2**40))])
    exposure = Exposure.objects.get()
    assert (exposure.exp_tau0, exposure.exp_seeing, exposure.obs_name) == (None, None, "ab")
    assert exposure.obs_id is None


def test_the_change_counter_moves_with_its_rows():
    assert last_modified() == (0, datetime(1970, 1, 1, tzinfo=UTC))
    ingest([digest_of(record())])
    counter, when = last_modified()
    assert counter == 1
    assert when.tzinfo is not None
    with transaction.atomic():
        versions.bump("exposures")
    assert last_modified()[0] == 2


def test_a_withdrawn_override_brings_back_what_the_header_says(curator: User):
    ingest([digest_of(record(obs_type_header="SCIENCE"))])
    made = override(Exposure.objects.get(), "obs_type", "calibrator", reason="in JSDC", author=curator)
    ended = corrections.withdraw(made, reason="another star of that name", author=curator)
    assert (ended.withdraws, ended.parent) == (True, made)
    assert Exposure.objects.get().obs_type == ObsType.SCIENCE
    with pytest.raises(OverrideError, match="not in force"):
        corrections.withdraw(made, reason="again", author=curator)
    ingest([digest_of(record(obs_type_header="SCIENCE", program_id="X"), text="two")])
    assert Exposure.objects.get().obs_type == ObsType.SCIENCE


def test_withdrawing_one_of_several_overrides_leaves_the_others_in_force(curator: User):
    ingest([digest_of(record(program_id="0104.C-0567(A)"))])
    technical = override(Exposure.objects.get(), "obs_program", "60.A-9999(A)", reason="a", author=curator)
    assert Exposure.objects.get().technical is True
    plain = override(Exposure.objects.get(), "technical", False, reason="b", author=curator)
    corrections.withdraw(technical, reason="c", author=curator)
    exposure = Exposure.objects.get()
    assert (exposure.obs_program, exposure.obs_program_root) == ("0104.C-0567(A)", "0104.C-0567")
    corrections.withdraw(plain, reason="d", author=curator)
    assert Exposure.objects.get().technical is False
    assert Override.objects.count() == 4


def test_a_withdrawn_override_follows_a_header_that_came_meanwhile(curator: User, headers: dict[str, str]):
    name, text = next((n, t) for n, t in headers.items() if digests(headers, n)[0].records)
    ingest([digest(HeaderSource(f"{name}.hdr", text))])
    first = Exposure.objects.order_by("pk").first()
    assert first is not None
    made = override(first, "obs_program", "60.A-1234(B)", reason="typed wrong", author=curator)
    other = text.replace(made.before["columns"]["obs_program"], "099.C-0667(A)")
    assert other != text
    ingest([digest(HeaderSource(f"{name}.hdr", other))])
    assert Exposure.objects.get(pk=first.pk).obs_program == "60.A-1234(B)"
    corrections.withdraw(made, reason="right in the new header", author=curator)
    assert Exposure.objects.get(pk=first.pk).obs_program == "099.C-0667(A)"


def test_only_curators_withdraw_and_only_with_a_reason(curator: User):
    ingest([digest_of(record())])
    made = override(Exposure.objects.get(), "obs_type", "calibrator", reason="a", author=curator)
    with pytest.raises(PermissionError):
        corrections.withdraw(made, reason="r", author=User.objects.create(username="nobody"))
    with pytest.raises(OverrideError, match="reason"):
        corrections.withdraw(made, reason=" ", author=curator)
    assert Exposure.objects.get().obs_type == ObsType.CALIBRATOR
