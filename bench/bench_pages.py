"""The pages of the largest target and of the fullest night at full size, beside a plain search page."""

from __future__ import annotations

import portal

GOAL_MS = 150.0
TIMES = 15


def main() -> None:
    portal.prepare()
    from django.db.models import Count, Max

    from obsportal.exposures.models import Exposure, Observation
    from obsportal.exposures.observations import derive

    if not Observation.objects.exists():
        derive.regroup_all()
    counted = Exposure.objects.order_by()
    target = counted.values("target_id", "target__name").annotate(n=Count("pk")).order_by("-n")[0]
    nights = counted.exclude(night=None).values("night", "interferometer_name").annotate(n=Count("pk"))
    night = nights.order_by("-n")[0]
    key = (
        Observation.objects.annotate(n=Count("exposures"), links=Count("calibrator_links"), last=Max("night"))
        .order_by("-n", "pk")
        .values_list("key", flat=True)[0]
    )
    cases = {
        f"/target/{target['target_id']}": f"target {target['target__name']}, {target['n']} exposures",
        f"/target/{target['target_id']}?page=2": "its second page",
        f"/night/{night['night']}/{night['interferometer_name']}": f"night, {night['n']} exposures",
        f"/observation/{key}": "the longest observation",
    }
    with portal.served() as address:
        connection = portal.Connection(address)
        plain = _median(connection, "/search")
        print(f"{plain:8.1f} ms   the plain search page, to the client")
        worst = 0.0
        for path, words in cases.items():
            ours = _median(connection, path)
            worst = max(worst, ours)
            print(f"{ours:8.1f} ms   ratio to it {ours / plain:5.1f}   {words}: {path}")
    exposures = Exposure.objects.count()
    print(f"worst of {len(cases)}: {worst:.1f} ms at {exposures} exposures   (goal: under {GOAL_MS:.0f})")


def _median(connection: portal.Connection, path: str) -> float:
    """Median of some answers, after each worker has its first behind it."""
    for _ in range(6):
        connection.get(path)
    return portal.median_ms(lambda: connection.get(path), TIMES)


if __name__ == "__main__":
    main()
