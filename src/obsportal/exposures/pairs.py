"""Exposures that two detectors made of one shutter opening: its time counts once."""

from __future__ import annotations

from collections.abc import Collection

from obsportal.accounts.access import Visibility
from obsportal.exposures.models import Exposure

_FIRST = {Visibility.PUBLIC: 0, Visibility.PROTECTED: 1, Visibility.REPLACED: 2}


def count_once(pair_keys: Collection[str]) -> None:
    """Let the first variant (LM before N) of each pair count its time.

    Of a pair that the public sees in part, what it sees counts.
    """
    pairs: dict[str, list[Exposure]] = {}
    rows = Exposure.objects.filter(pair_key__in=set(pair_keys) - {""})
    columns = ("pair_key", "instrument_variant", "time_counted", "visibility")
    for exposure in rows.only(*columns).order_by("instrument_variant", "pk"):
        pairs.setdefault(exposure.pair_key, []).append(exposure)
    for members in pairs.values():
        members.sort(key=lambda member: _FIRST[Visibility(member.visibility)])
        for position, member in enumerate(members):
            counted = position == 0
            if member.time_counted != counted:
                member.time_counted = counted
                member.save(update_fields=["time_counted"])
