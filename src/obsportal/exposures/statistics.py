"""What the portal holds, counted."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, Min

from obsportal.exposures.models import Exposure, HeaderVersion, RefusedHeader, Target


def overview() -> dict[str, Any]:
    """Totals, and counts per instrument and observation type."""
    span = Exposure.objects.aggregate(first=Min("exp_mjd_start"), last=Max("exp_mjd_start"))
    by_instrument = (
        Exposure.objects.values("interferometer_name", "instrument_name", "obs_type")
        .annotate(exposures=Count("pk"), first_night=Min("night"), last_night=Max("night"))
        .order_by("interferometer_name", "instrument_name", "obs_type")
    )
    return {
        "exposures": Exposure.objects.count(),
        "with_errors": Exposure.objects.filter(exp_validation_level=0).count(),
        "targets": Target.objects.count(),
        "nights": Exposure.objects.values("night", "interferometer_name").distinct().count(),
        "headers": HeaderVersion.objects.count(),
        "refused": RefusedHeader.objects.count(),
        "first_mjd": span["first"],
        "last_mjd": span["last"],
        "instruments": list(by_instrument),
    }


def refusals() -> dict[str, Any]:
    """Counts of refused headers by code and instrument, and the latest of them."""
    by_code = RefusedHeader.objects.values("code", "instrument_name").annotate(headers=Count("pk"))
    latest = RefusedHeader.objects.order_by("-last_seen", "-pk")[:20]
    return {
        "refused": RefusedHeader.objects.count(),
        "codes": list(by_code.order_by("-headers", "code")),
        "latest": list(latest.values("header_id", "code", "reason")),
    }


def tables(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The same as tables for a terminal: title -> rows."""
    totals = [
        {"": name.replace("_", " "), "count": n} for name, n in found.items() if not isinstance(n, list)
    ]
    shown: dict[str, list[dict[str, Any]]] = {"Totals": totals}
    for name, value in found.items():
        if isinstance(value, list) and value:
            shown[name.capitalize()] = value
    return shown
