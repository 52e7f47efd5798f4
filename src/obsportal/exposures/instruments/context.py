"""What a rule file is told besides the header itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Context:
    """Circumstances of one header.

    ``archive_row`` is the row of the archive's raw-frame table for this frame (column names of
    ESO's ``dbo.raw``), when there is one. ``header_id`` is the identifier known from outside
    (the archive's DP.ID, a file name); "" lets the rule read it from the header.
    ``include_products`` accepts headers of reduced products in place of refusing them.
    """

    include_products: bool = False
    archive_row: Mapping[str, Any] | None = None
    header_id: str = ""


NOTHING_MORE = Context()
