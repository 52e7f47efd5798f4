"""Grouped searches at full size: pages, cones and whole exports, beside gathering in Python."""

from __future__ import annotations

import time
from collections import defaultdict

import portal

GROUPS = ("template", "observation", "target-night")
CASES = (
    "limit=50",
    "limit=50&page=700",
    "limit=50&instrument=GRAVITY&obs_type=science",
    "limit=50&sort=-exp_seeing",
    "ra=219.9021&dec=-60.8340&radius=120",
)


def main() -> None:
    portal.prepare()
    from django.test import Client

    from obsportal.exposures.groups import grouped
    from obsportal.exposures.models import Exposure

    client = Client()

    def whole(address: str) -> bytes:
        response = client.get(address)
        if response.status_code != 200:
            raise RuntimeError(address)
        return b"".join(response)

    for group in GROUPS:
        for case in CASES:
            address = f"/search.csv?group={group}&{case}"
            grouped._ORDERS.clear()
            cold = portal.median_ms(lambda address=address: whole(address), 1)
            warm = portal.median_ms(lambda address=address: whole(address), 9)
            print(f"{warm:8.1f} ms   first {cold:8.1f} ms   {address}")
        page = portal.median_ms(lambda group=group: whole(f"/search?group={group}"), 9)
        print(f"{page:8.1f} ms   the search page so grouped   (goal for observations: under 150)")
        began = time.perf_counter()
        rows = whole(f"/search.csv?group={group}").count(b"\r\n") - 1
        spent = time.perf_counter() - began
        print(f"{rows / spent:8.0f} groups/s in a whole export of {rows}   (goal for observations: 20000)")
    began = time.perf_counter()
    members = defaultdict(list)
    for row in Exposure.objects.visible_to(None).select_related("target").iterator():
        members[row.observation_id].append(row)
    spent = time.perf_counter() - began
    print(f"{len(members) / spent:8.0f} groups/s by reading every exposure and gathering in Python")


if __name__ == "__main__":
    main()
