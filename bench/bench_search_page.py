"""The search page with filters and counts at full size, at the server, beside counting each facet apart."""

from __future__ import annotations

import portal

CASES = (
    "",
    "instrument=GRAVITY",
    "instrument=GRAVITY&obs_type=science&valid=true",
    "date_from=2018-01-01&date_to=2019-12-31",
    "target_name=bet+Pic",
    "ra=219.9021&dec=-60.8340&radius=120",
    "instrument=PIONIER&sort=-exp_seeing&page=3",
)


def main() -> None:
    portal.prepare()
    from django.test import Client

    from obsportal.exposures import search
    from obsportal.exposures.models import Exposure

    client = Client()
    worst = 0.0
    for case in CASES:
        params = dict(pair.split("=") for pair in case.replace("+", " ").split("&") if pair)

        def page(case: str = case) -> None:
            if client.get(f"/search?{case}").status_code != 200:
                raise RuntimeError(case)

        def apart(params: dict[str, str] = params) -> None:
            rows = search.parse(params).exposures(None)
            for column in search.FACETS.values():
                list(rows.order_by().values_list(column).distinct())
                rows.count()

        page()
        ours, peer = portal.median_ms(page, 9), portal.median_ms(apart, 1)
        worst = max(worst, ours)
        print(f"{ours:8.1f} ms   each facet apart {peer:8.1f} ms   ratio {peer / ours:6.1f}   /search?{case}")
    search._CUBES.clear()
    cold = portal.median_ms(lambda: client.get("/search"), 1)
    print(f"{cold:8.1f} ms   the first page after the table changed")
    print(
        f"worst of {len(CASES)}: {worst:.1f} ms at {Exposure.objects.count()} exposures   (goal: under 150)"
    )


if __name__ == "__main__":
    main()
