"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from obsportal import __version__


def site(request: HttpRequest) -> dict[str, Any]:
    """The portal's name and version, and the path of the page."""
    return {"site_name": settings.OBSPORTAL_SITE_NAME, "version": __version__, "path": request.path}
