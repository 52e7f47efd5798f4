"""How the portal is: for people, for monitors, for the balancer in front of it."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from obsportal import __version__
from obsportal.exposures.kept import last_change
from obsportal.exposures.models import Exposure, Heartbeat
from obsportal.site import schema
from obsportal.sync import report as sync_report

LATE_HEARTBEAT = timedelta(minutes=5)
"""A worker that has been silent for longer is reported as late."""


def process_start() -> datetime:
    """When this process began, from the kernel where it tells, else when this module was loaded."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return datetime.now(UTC) - timedelta(seconds=uptime - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return datetime.fromtimestamp(time.time(), UTC)


STARTED = process_start()


def unready() -> str:
    """Why requests cannot be answered; "" when they can."""
    try:
        missing = schema.pending()
    except DatabaseError as error:
        return f"the database cannot be reached: {_one_line(error)}"
    if missing:
        waiting = f"{len(missing)} migration(s) are missing, first {missing[0]}"
        return f"{waiting}: any obsportal command applies them"
    return ""


def _one_line(error: Exception) -> str:
    """The kind of failure only: messages of drivers name hosts, users and paths."""
    return type(error).__name__


def report(request: HttpRequest) -> dict[str, Any]:
    """The state of the portal, as this reader may know it."""
    reason = unready()
    found: dict[str, Any] = {
        "status": "unavailable" if reason else "ok",
        "reason": reason,
        "version": __version__,
        "variant": settings.OBSPORTAL_VARIANT,
        "authority": settings.OBSPORTAL_AUTHORITY,
        "started": STARTED,
        "uptime_s": round((timezone.now() - STARTED).total_seconds()),
        "disk_free_bytes": disk_free(Path(settings.OBSPORTAL_DATA)),
        "database": {"engine": connection.vendor},
    }
    if reason:
        return found
    found["database"] |= _database()
    exposures = Exposure.objects.visible_to(request.user).count()
    found |= {
        "exposures": exposures,
        "records_modified": last_change(request.user) if exposures else None,
        "workers": _workers(),
        "sources": sync_report.summary(),
    }
    return found


def disk_free(folder: Path) -> int | None:
    """Bytes free where a folder is, or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _database() -> dict[str, Any]:
    found: dict[str, Any] = {"schema": schema.current(), "connections": _connections()}
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
        else:
            cursor.execute("SHOW server_version")
        found["version"] = cursor.fetchone()[0]
    return found


def _connections() -> dict[str, Any]:
    """How connections to the records are kept, and how many the server has open."""
    pool = getattr(connection, "pool", None)
    if pool is not None:
        return {"kind": "pool", **pool.get_stats()}
    kept = settings.DATABASES["default"]["CONN_MAX_AGE"]
    found: dict[str, Any] = {"kind": "one per thread", "max_age_s": kept}
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            found["open"] = cursor.fetchone()[0]
    return found


def _workers() -> list[dict[str, Any]]:
    now = timezone.now()
    return [
        {
            "name": beat.name,
            "beat_at": beat.beat_at,
            "age_s": round((now - beat.beat_at).total_seconds()),
            "late": now - beat.beat_at > LATE_HEARTBEAT,
        }
        for beat in Heartbeat.objects.order_by("name")
    ]


def _wants_json(request: HttpRequest) -> bool:
    asked = request.GET.get("format", "").strip().lower()
    if asked in {"json", "html"}:
        return asked == "json"
    preferred = request.get_preferred_type(["text/html", "application/json"])
    return preferred == "application/json"


@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """The state as a page, or as JSON by ``Accept`` or ``format=json``; 503 when unavailable."""
    if _wants_json(request):
        return health_json(request)
    found = report(request)
    status = 200 if found["status"] == "ok" else 503
    context = {"health": found, "site_name": settings.OBSPORTAL_SITE_NAME, "version": __version__}
    reached = None if found["reason"] else request
    response = render(reached, "health.html", context, status=status)
    response["Vary"] = "Accept, Cookie"
    return response


@require_safe
@never_cache
def health_json(request: HttpRequest) -> HttpResponse:
    """The state as JSON."""
    found = report(request)
    status = 200 if found["status"] == "ok" else 503
    return JsonResponse(found, status=status, headers={"Vary": "Accept, Cookie"})


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("live\n", content_type="text/plain")


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Whether requests can be answered: 200, or 503 with the reason."""
    reason = unready()
    return HttpResponse(
        f"{reason or 'ready'}\n", status=503 if reason else 200, content_type="text/plain; charset=utf-8"
    )
