"""Those who write exposures at once wait for each other in one order: none is sacrificed to a deadlock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import date

import pytest
from django.db import connection
from django.utils import timezone
from portal_stand_in import row, serving

from obsportal.accounts.models import User
from obsportal.demo.generate import generate
from obsportal.exposures import services
from obsportal.exposures.corrections import override
from obsportal.exposures.digest import digest
from obsportal.exposures.models import Exposure
from obsportal.exposures.observations import derive
from obsportal.exposures.services import IngestOptions, ingest
from obsportal.formats.header_sources import HeaderSource
from obsportal.sync import listing, runs
from obsportal.sync.models import ArchiveRow
from obsportal.sync.portal import PortalSource

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]
PATIENCE = 20.0
NIGHT = list(generate(30, 3, start=date(2019, 3, 1), end=date(2019, 3, 2)))


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01)")


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def vanishing(exposure: Exposure) -> None:
    listing.vanish("eso", [exposure.exp_header_id])


def harvesting(exposure: Exposure) -> None:
    with serving() as other:
        other.rows = [row(exp_id=exposure.exp_id, exp_header_id=exposure.exp_header_id), row(1)]
        assert runs.run(PortalSource(other.address)).status == "done"


def correcting(exposure: Exposure) -> None:
    curator = User.objects.get(username="curator")
    override(exposure, "visibility", "protected", reason="asked for", author=curator)


def regrouping(exposure: Exposure) -> None:
    derive.regroup_nights(derive.nights_of([exposure.pk]))


@pytest.mark.parametrize("other", [vanishing, harvesting, correcting, regrouping])
@pytest.mark.parametrize("moment", ["_project", "bump"])
def test_an_ingest_and_another_writer_of_its_exposures_both_come_to_their_end(
    other: Callable[[Exposure], None], moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [digest(HeaderSource(h.name, h.text)) for h in NIGHT]
    ingest(made)
    User.objects.create_user("curator", is_staff=True)
    exposure = Exposure.objects.order_by("exp_id")[0]
    ArchiveRow.objects.create(
        source="eso", instrument="X", dp_id=exposure.exp_header_id, modified_at=timezone.now(), row={}
    )
    # The ingest writes this exposure when it is described, or only when its night is grouped.
    Exposure.objects.update(observation=None)
    described = Exposure.objects.exclude(pk=exposure.pk) if moment == "bump" else Exposure.objects.all()
    described.update(obs_program="")
    failures: list[BaseException] = []

    def beside() -> None:
        try:
            other(exposure)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=beside)
    step = getattr(services, moment)

    def slowly(*arguments: object, **more: object) -> object:
        done = step(*arguments, **more) if moment == "bump" else None
        if thread.ident is None:
            thread.start()
            wait_until(lambda: somebody_waits() or not thread.is_alive())
        return step(*arguments, **more) if moment != "bump" else done

    monkeypatch.setattr(services, moment, slowly)
    ingest(made, IngestOptions(current=True))
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert not failures
    assert not Exposure.objects.filter(obs_program="").exists()
