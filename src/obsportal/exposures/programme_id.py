"""ESO programme identifiers: runs and roots, in both grammars."""

from __future__ import annotations

import re

_ROOT = re.compile(r"(\d+\.[A-Z]-\d+|\d{3}\.[0-9A-Z]{4})(?:\([A-Z]+\)|\.\d{3})?$")


def program_root(run: str) -> str:
    """The programme a run belongs to: ``0103.C-0347(B)`` -> ``0103.C-0347``.

    From period 105 on ``105.20FU.002`` -> ``105.20FU``. Other identifiers (CHARA) are their own root.
    """
    match = _ROOT.match(run)
    return match[1] if match else run


def is_technical(run: str) -> bool:
    """Whether a run is technical time: commissioning, calibration, maintenance (60.A-...)."""
    return run.startswith("60.A-") or run.startswith("060.A-")
