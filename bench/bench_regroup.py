"""Targets, observations and calibrator links of the whole archive from nothing, and of one night.

Beside it a plain grouping by block with the ORM, an exposure at a time, without links. Pointings,
observations and links of the benchmark archive are deleted and made again.
"""

from __future__ import annotations

import random
import statistics
import time

import portal

NIGHTS = 60


def main() -> None:
    portal.prepare()
    from obsportal.exposures.gather import targets
    from obsportal.exposures.models import CalibratorLink, Exposure, Observation, Target, TargetPointing
    from obsportal.exposures.observations import derive

    CalibratorLink.objects.all().delete()
    Observation.objects.all().delete()
    Exposure.objects.update(pointing=None, ft_pointing=None)
    TargetPointing.objects.all().delete()
    began, spent = time.perf_counter(), time.process_time()
    targets.regather()
    gathered = time.perf_counter() - began
    report = derive.regroup_all()
    whole, spent = time.perf_counter() - began, time.process_time() - spent
    rate = report.exposures / (whole - gathered)
    print(f"{TargetPointing.objects.count()} pointings gathered to {Target.objects.count()} targets")
    print(report.sentence())
    print(
        f"from nothing:        {whole:7.1f} s, {gathered:.1f} of them for targets; {spent:.1f} s of a core (goal: 60 s)"
    )
    again = portal.timed(lambda: (targets.regather(), derive.regroup_all()))
    print(f"again, all the same: {again:7.1f} s")

    keys = sorted(set(Exposure.objects.values_list("night", "interferometer_name")), key=str)
    some = random.Random(1).sample(keys, NIGHTS)
    busiest = max(keys, key=lambda key: derive.count([key]))
    same, anew = [], []
    for key in [*some, busiest]:
        same.append(portal.timed(lambda key=key: derive.regroup_nights([key])) * 1000)
        Observation.objects.filter(night=key[0], interferometer_name=key[1]).delete()
        anew.append(portal.timed(lambda key=key: derive.regroup_nights([key])) * 1000)
    rows = derive.count([busiest])
    print(
        f"one night, anew:     {statistics.median(anew):7.1f} ms  busiest ({rows} exposures) {anew[-1]:.1f} ms   (goal: under 1 s)"
    )
    print(f"one night, the same: {statistics.median(same):7.1f} ms  busiest {same[-1]:.1f} ms")
    peer = orm_rate(some[:20])
    print(f"ORM, blocks only:    {peer:7.0f} exposures/s   ratio {rate / peer:.1f}")


def orm_rate(keys: list[tuple[object, str]]) -> float:
    """Exposures per second when each is looked at and saved by itself; nothing of it is kept."""
    from django.db import transaction

    from obsportal.exposures.models import Exposure, Observation

    done = 0
    began = time.perf_counter()
    with transaction.atomic():
        for night, interferometer in keys:
            for row in Exposure.objects.filter(night=night, interferometer_name=interferometer):
                row.observation, _ = Observation.objects.get_or_create(
                    key=f"peer.{row.obs_id}.{row.obs_start}", defaults={"night": night, "obs_id": row.obs_id}
                )
                row.save(update_fields=["observation"])
                done += 1
        seconds = time.perf_counter() - began
        transaction.set_rollback(True)
    return done / seconds


if __name__ == "__main__":
    main()
