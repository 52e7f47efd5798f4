"""The sources that the settings name."""

from __future__ import annotations

from django.conf import settings

from obsportal.connectors.http import Manners
from obsportal.sync.job import SyncError
from obsportal.sync.source import ESO, Source


def configured() -> tuple[str, ...]:
    """Names of the sources that the worker follows, in the order of the setting."""
    return tuple(settings.OBSPORTAL_SYNC)


def source_of(name: str) -> Source:
    """The source of a name: ``eso``, or the address of a portal. Raises SyncError for another."""
    if name == ESO:
        from obsportal.sync.eso import EsoSource

        return EsoSource(
            settings.OBSPORTAL_ESO_TAP_URL,
            settings.OBSPORTAL_ESO_HEADER_URL,
            manners(),
            settings.OBSPORTAL_ESO_SINCE,
        )
    if name.startswith(("http://", "https://")):
        from obsportal.sync.portal import PortalSource

        return PortalSource(name.rstrip("/"))
    raise SyncError(f"{name!r} is no source: allowed are {ESO} and the http(s) address of a portal")


def manners() -> Manners:
    """How others are asked, by the settings."""
    return Manners(
        contact=settings.OBSPORTAL_CONTACT,
        parallel=settings.OBSPORTAL_SYNC_PARALLEL,
        pause=settings.OBSPORTAL_SYNC_PAUSE_MS / 1000.0,
    )
