"""ASPRO2's cone search over HTTP, beside the same question asked the plain way.

The peer, in the same run on the same records: Django's ORM with a bounding box on indexed-free
columns of the targets, separations by astropy, the answer written by astropy's VOTable writer.
Published figure for orientation: DaCHS 2.7 on PostgreSQL with q3c answered such a cone in 23 ms, 34
requests/s, on a machine of this kind.
"""

from __future__ import annotations

import io
import itertools
import random
import re

import portal

REQUESTS = 2000
CLIENTS = 8


def main() -> None:
    portal.prepare()
    from django.db.models import Count

    from obsportal.exposures.models import Target

    rng = random.Random(1)
    targets = Target.objects.exclude(ra=None).annotate(n=Count("exposures")).filter(n__gt=0)
    every = list(targets.order_by("-n").values_list("ra", "dec"))
    places = rng.sample(every, min(1000, len(every)))
    questions, crowded = [
        [{"ra": repr(ra), "dec": repr(dec), "radius": "30.0", "all_fields": "false"} for ra, dec in chosen]
        for chosen in (places, every[:50])
    ]
    with portal.served() as address:
        one = portal.Connection(address)
        for question in questions[:100]:
            one.post("/search.votable", question)
        asked = itertools.cycle(questions)
        rows: list[int] = []

        def ask() -> None:
            rows.append(len(re.findall(b"<TR>", one.post("/search.votable", next(asked)))))

        median = portal.median_ms(ask, 1000)
        many = iter(crowded)
        busiest = portal.median_ms(lambda: one.post("/search.votable", next(many)), len(crowded))

        def client(number: int) -> None:
            """A program that asks about 25 targets on one connection, then comes again.

            The system hands a connection to one server process for good; new ones even that out.
            """
            for i in range(REQUESTS // CLIENTS):
                if i % 25 == 0:
                    connection = portal.Connection(address)
                connection.post("/search.votable", questions[(number * 131 + i) % len(questions)])

        seconds = portal.together([lambda n=n: client(n) for n in range(CLIENTS)])  # type: ignore[misc]
    plain = portal.median_ms(lambda: plainly(*rng.choice(places)), 15)
    print(
        f"targets drawn evenly; rows per answer: mean {sum(rows) / len(rows):.1f}, median {sorted(rows)[len(rows) // 2]}"
    )
    print(f"one connection, median:   {median:8.2f} ms   (goal: at most 3)")
    print(f"{CLIENTS} clients:                {REQUESTS / seconds:8.0f} requests/s   (goal: at least 500)")
    print(f"the {len(crowded)} most observed targets, median: {busiest:.1f} ms")
    print(f"plain ORM + astropy:      {plain:8.1f} ms   ratio {plain / median:.0f}")


def plainly(ra: float, dec: float) -> int:
    """The same answer without index, streaming or column-wise text."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord
    from astropy.table import Table

    from obsportal.exposures.models import Exposure

    near = Exposure.objects.filter(pointing_dec__range=(dec - 0.01, dec + 0.01)).select_related("target")
    exposures = [e for e in near if e.pointing_ra is not None]
    if exposures:
        sky = SkyCoord(
            [e.pointing_ra for e in exposures] * u.deg, [e.pointing_dec for e in exposures] * u.deg
        )
        inside = sky.separation(SkyCoord(ra, dec, unit="deg")).arcsec <= 30
        exposures = [e for e, take in zip(exposures, inside, strict=True) if take]
    names = (
        "exp_id",
        "exp_mjd_start",
        "exp_mjd_end",
        "exp_projected_baselines",
        "instrument_name",
        "obs_type",
    )
    table = Table({n: [getattr(e, n) for e in exposures] or [""] for n in names})
    out = io.BytesIO()
    table.write(out, format="votable")
    return len(out.getvalue())


if __name__ == "__main__":
    main()
