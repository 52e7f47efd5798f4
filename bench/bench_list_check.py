"""The list check of 200 positions and of 200 names, at the server, on the full archive.

The peer, in the same run on the same records: the same questions one search at a time.
"""

from __future__ import annotations

import random

import portal

STARS = 200


def main() -> None:
    portal.prepare()
    from django.db.models import Count

    from obsportal.exposures.models import Target
    from obsportal.exposures.search import parse
    from obsportal.exposures.takeaway.list_check import check
    from obsportal.exposures.takeaway.list_input import read_list

    rng = random.Random(1)
    targets = Target.objects.exclude(ra=None).annotate(n=Count("exposures")).filter(n__gt=0)
    every = list(targets.order_by("-n").values_list("name", "ra", "dec"))
    lists = {
        f"{STARS} positions drawn evenly": positions(rng.sample(every, STARS)),
        f"the {STARS} most observed, by position": positions(every[:STARS]),
        f"{STARS} names drawn evenly": "\n".join(name for name, _, _ in rng.sample(every, STARS)),
        f"the {STARS} most observed, by name": "\n".join(name for name, _, _ in every[:STARS]),
    }
    with portal.served(workers=1) as address:
        one = portal.Connection(address)
        for words, text in lists.items():
            call = lambda text=text: one.post("/list.csv", {"list": text})  # noqa: E731
            call()
            print(f"{words + ', as CSV:':44} {portal.median_ms(call, 9):8.0f} ms   (goal: under 500)")
        page = lambda: one.get("/list")  # noqa: E731
        print(f"{'the empty page:':44} {portal.median_ms(page, 9):8.0f} ms")
    some = read_list(next(iter(lists.values())))
    total = sum(line.existing.exposures for line in check(some, None))
    print(f"{total} exposures behind the first list")

    def one_at_a_time() -> None:
        for line in some:
            found = parse({"ra": repr(line.ra), "dec": repr(line.dec), "radius": "10"}).exposures(None)
            list(found.values_list("instrument_name", "instrument_mode", "night").annotate(n=Count("pk")))

    print(f"{'one search a star, instruments only:':44} {portal.median_ms(one_at_a_time, 3):8.0f} ms")


def positions(stars: list[tuple[str, float, float]]) -> str:
    """A list of positions, one a line."""
    return "\n".join(f"{ra!r} {dec!r}" for _, ra, dec in stars)


if __name__ == "__main__":
    main()
